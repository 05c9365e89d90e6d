package reports

import (
	"fmt"
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

// differences is differencesOf for some of the runs, by their indices.
func differences(runs []*results.Run, members []int) []string {
	var out []string
	owner := map[string]int{} // the first run of a data set
	for _, i := range members {
		r, first := runs[i], runs[members[0]]
		if r.Protocol.Fingerprint != first.Protocol.Fingerprint {
			out = append(out, fmt.Sprintf("run %d and run %d followed different protocols (%s and %s): their "+
				"numbers are not comparable",
				members[0]+1, i+1, protocolName(first), protocolName(r)))
		}
		for _, d := range r.Datasets {
			key := d.Name + "\n" + d.Split
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
	for _, w := range order {
		who := strings.Join(methods[w], ", ")
		if n := len(methods[w]); n > 1 && n == len(r.Methods) {
			who = "every method"
		}
		out = append(out, fmt.Sprintf("%s, %s: %s", w.dataset, who, w.text))
	}
	return out
}
