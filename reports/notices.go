package reports

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
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

// notices are all warnings, those that follow from the counts first; what several runs warn of stands once.
func notices(runs []*results.Run) []string {
	var order []string
	said := map[string][]string{} // by runs, counted from 1
	for i, r := range runs {
		for _, s := range warningsOf(r) {
			if said[s] == nil {
				order = append(order, s)
			}
			said[s] = append(said[s], strconv.Itoa(i+1))
		}
	}
	out := differencesOf(runs)
	for _, s := range order {
		switch who := said[s]; {
		case len(runs) == 1:
			out = append(out, s)
		case len(who) == len(runs):
			out = append(out, "every run: "+s)
		default:
			out = append(out, strings.TrimSuffix("runs", strings.Repeat("s", boolInt(len(who) == 1)))+" "+
				strings.Join(who, ", ")+": "+s)
		}
	}
	return out
}

// warningsOf are those of one run.
func warningsOf(r *results.Run) (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
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
	return slices.Concat(out, r.Warnings, cellWarnings(r))
}

// cellWarnings are the warnings of cells, each once for all methods of a data set that have it, be it with other
// counts. What is said of thresholds stands under the tables.
func cellWarnings(r *results.Run) []string {
	type warning struct{ dataset, text string }
	var order []warning
	methods, counts := map[warning][]string{}, map[warning][]string{}
	for _, c := range r.Cells {
		for _, text := range c.Warnings {
			if thresholdWarning.MatchString(text) {
				continue
			}
			count := leadingCount.FindString(text)
			w := warning{c.Dataset, text[len(count):]}
			if methods[w] == nil {
				order = append(order, w)
			}
			if !slices.Contains(methods[w], c.Method) {
				methods[w], counts[w] = append(methods[w], c.Method), append(counts[w], count)
			}
		}
	}
	var out []string
	for _, w := range order {
		who, what := ", "+strings.Join(methods[w], ", "), counts[w][0]+w.text
		if n := len(methods[w]); n > 1 && n == len(r.Methods) {
			who = ", every method"
		}
		if len(slices.Compact(slices.Clone(counts[w]))) > 1 {
			for i, m := range methods[w] {
				methods[w][i] = m + " " + strings.TrimSpace(counts[w][i])
			}
			who, what = ": "+w.text, strings.Join(methods[w], ", ")
		}
		out = append(out, fmt.Sprintf("%s%s: %s", w.dataset, who, what))
	}
	return out
}

// leadingCount is the number in a warning that differs from method to method.
var leadingCount = regexp.MustCompile(`^[0-9]+ of [0-9]+ `)

// thresholdWarning is what tasks say of a score at a searched threshold.
var thresholdWarning = regexp.MustCompile(`^(\S+) is at threshold (\S+), searched on these images; (\S+ and \S+) on their halves$`)

// thresholdNotes say for a table of column c at which thresholds its methods have a score, by the score's name.
func thresholdNotes(v *view, c column) map[string]string {
	type key struct{ score, at string }
	var order []key
	methods := map[key][]string{}
	for _, r := range v.rows {
		x := v.cell(r, c)
		if x == nil {
			continue
		}
		for _, text := range x.Warnings {
			m := thresholdWarning.FindStringSubmatch(text)
			if m == nil {
				continue
			}
			k := key{m[1], fmt.Sprintf("%s (%s)", m[2], m[3])}
			if methods[k] == nil {
				order = append(order, k)
			}
			methods[k] = append(methods[k], v.name(r))
		}
	}
	out := map[string]string{}
	for _, k := range order {
		if out[k.score] == "" {
			out[k.score] = k.score + " is at the threshold with the highest score on these images (on their halves): "
		} else {
			out[k.score] += "; "
		}
		out[k.score] += strings.Join(methods[k], ", ") + " " + k.at
	}
	for score := range out {
		out[score] += "."
	}
	return out
}
