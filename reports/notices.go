package reports

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"ovbench/reports/results"
)

// differencesOf are the reasons why numbers of runs must not be set side by side.
func differencesOf(runs []*results.Run) []string {
	all := make([]int, len(runs))
	for i := range all {
		all[i] = i
	}
	return differences(runs, all)
}

// taskOf is the question that a run answers: the task of its first cell.
func taskOf(r *results.Run) string {
	if len(r.Cells) == 0 {
		return ""
	}
	return r.Cells[0].Task
}

// differences is differencesOf for some of the runs, by their indices.
func differences(runs []*results.Run, members []int) []string {
	var out []string
	first, owner := map[string]int{}, map[string]int{} // runs of a task, and of a data set
	for _, i := range members {
		r := runs[i]
		if j, ok := first[taskOf(r)]; !ok {
			first[taskOf(r)] = i
		} else if o := runs[j]; r.Protocol.Fingerprint != o.Protocol.Fingerprint {
			out = append(out, fmt.Sprintf("run %d and run %d followed different protocols (%s and %s): their "+
				"numbers are not comparable", j+1, i+1, protocolName(o), protocolName(r)))
		}
		for _, d := range r.Datasets {
			key := d.Name + "\n" + d.Split + "\n" + taskOf(r)
			j, ok := owner[key]
			if !ok {
				owner[key] = i
				continue
			}
			if o := runs[j].Dataset(d.Name); o.ListSHA256 != d.ListSHA256 || o.Measured != d.Measured ||
				o.Samples != d.Samples {
				out = append(out, fmt.Sprintf("%s: run %d measured %d of %d images, run %d %d of %d, or other "+
					"ones: their numbers are not comparable",
					d.Name, j+1, o.Measured, o.Images, i+1, d.Measured, d.Images))
			}
		}
	}
	return out
}

// notices are all warnings, those that follow from the counts first.
func notices(runs []*results.Run) []string {
	out := differencesOf(runs)
	for i, r := range runs {
		say := func(format string, args ...any) {
			s := fmt.Sprintf(format, args...)
			if len(runs) > 1 {
				s = fmt.Sprintf("run %d: %s", i+1, s)
			}
			out = append(out, s)
		}
		if !r.Complete {
			say("the run is not complete")
		}
		for _, d := range r.Datasets {
			if n := r.Failed(d.Name); n > 0 {
				say("%s: %d of %d images failed", d.Name, n, d.Images)
			}
			if n := d.Measured + r.Failed(d.Name); n < d.Images {
				say("%s: %d of %d images were measured", d.Name, d.Measured, d.Images)
			}
		}
		for _, w := range r.Warnings {
			say("%s", w)
		}
		for _, w := range cellWarnings(r) {
			say("%s", w)
		}
	}
	return out
}

// cellWarnings are the warnings of cells, each once for all methods of a data set that have it.
func cellWarnings(r *results.Run) []string {
	type warning struct{ dataset, text string }
	var order []warning
	methods := map[warning][]string{}
	for _, c := range r.Cells {
		for _, text := range c.Warnings {
			w := warning{c.Dataset, text}
			if methods[w] == nil {
				order = append(order, w)
			}
			if !slices.Contains(methods[w], c.Method) {
				methods[w] = append(methods[w], c.Method)
			}
		}
	}
	var out []string
	searched := map[string]int{} // by data set and score, where in out their thresholds stand
	for _, w := range order {
		who := strings.Join(methods[w], ", ")
		if n := len(methods[w]); n > 1 && n == len(r.Methods) {
			who = "every method"
		}
		if m := thresholdWarning.FindStringSubmatch(w.text); m != nil {
			key := w.dataset + ": " + m[1]
			if _, ok := searched[key]; !ok {
				searched[key] = len(out)
				out = append(out, key+" is at thresholds searched on these images (on their halves):")
			}
			out[searched[key]] += fmt.Sprintf(" %s %s (%s);", who, m[2], m[3])
			continue
		}
		out = append(out, fmt.Sprintf("%s, %s: %s", w.dataset, who, w.text))
	}
	for _, i := range searched {
		out[i] = strings.TrimSuffix(out[i], ";")
	}
	return out
}

// thresholdWarning is what tasks say of a score at a searched threshold: one line a method, read as one for all.
var thresholdWarning = regexp.MustCompile(`^(\S+) is at threshold (\S+), searched on these images; (\S+ and \S+) on their halves$`)
