package tasks

import (
	"slices"

	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/runners/methods"
)

// Metric is a score that cells may have.
type Metric struct{ Name, Task, Doc string }

// Metrics lists the scores of all tasks, each name of a task once.
func Metrics() []Metric {
	return slices.Concat(
		list("segmentation", segmentationMetrics),
		list("explain", explainMetrics),
		list("explain", squaredMetrics),
		list("explain", judgedMetrics),
		list("multilabel", tagMetrics),
		list("faithfulness", faithfulnessMetrics),
		list("interactive", promptMetrics),
	)
}

// Meaning is what a score of a task is, or "" for one that is not known.
func Meaning(task, name string) string {
	for _, m := range Metrics() {
		if m.Task == task && m.Name == name {
			return m.Doc
		}
	}
	return ""
}

func list[E any](task string, table []metric[E]) (out []Metric) {
	for _, m := range table {
		if m.doc != "" {
			out = append(out, Metric{m.name, task, m.doc})
		}
	}
	return out
}

// Known is what suites may name.
func Known() configs.Known {
	k := configs.Known{Methods: map[string][]string{}, Queries: map[string][]string{}, Metrics: map[string][]string{}}
	for _, name := range methods.Names() {
		k.Methods[name] = methods.ParamNames(name)
	}
	for _, e := range datasets.All {
		k.Datasets = append(k.Datasets, e.Name)
		if sets := datasets.QuerySets(e.Name); sets != nil {
			k.Queries[e.Name] = sets
		}
	}
	for _, m := range Metrics() {
		k.Metrics[m.Task] = append(k.Metrics[m.Task], m.Name)
	}
	return k
}
