package reports

import (
	"cmp"
	"fmt"
	"strings"

	"ovbench/reports/results"
)

// view is a set of runs laid out for reading: methods down, data sets across.
type view struct {
	runs    []*results.Run
	rows    []row
	columns []column
	cells   map[place]*results.Cell
}

// place is where a cell stands.
type place struct {
	row
	columnKey
}

// row is a method of a run.
type row struct {
	run    int // index into runs
	method string
}

// column is a data set under a task and a convention.
type column struct {
	key    columnKey
	title  string
	metric string // the score that tables show
}

type columnKey struct{ dataset, split, task, convention string }

// newView lays out runs in the order of their methods and cells. Cells of one data set, split, task and convention share a column.
func newView(runs []*results.Run) *view {
	v := &view{runs: runs, cells: map[place]*results.Cell{}}
	at := map[columnKey]int{}
	for i, r := range runs {
		for _, m := range r.Methods {
			v.rows = append(v.rows, row{run: i, method: m.Name})
		}
		for j := range r.Cells {
			c := &r.Cells[j]
			d := r.Dataset(c.Dataset)
			if d == nil {
				continue
			}
			k := columnKey{d.Name, d.Split, c.Task, c.Convention}
			if _, ok := at[k]; !ok {
				at[k] = len(v.columns)
				v.columns = append(v.columns, column{key: k, title: cmp.Or(d.Title, d.Name)})
			}
			v.cells[place{row{i, c.Method}, k}] = c
			col := &v.columns[at[k]]
			if c.Score("mIoU") != nil {
				col.metric = "mIoU"
			} else if col.metric == "" && len(c.Scores) > 0 {
				col.metric = c.Scores[0].Name
			}
		}
	}
	v.distinguish()
	return v
}

// distinguish adds to equal titles what tells the columns apart.
func (v *view) distinguish() {
	for _, part := range []func(columnKey) string{
		func(k columnKey) string { return k.split },
		func(k columnKey) string { return k.task },
		func(k columnKey) string { return k.convention },
		func(k columnKey) string { return k.dataset },
	} {
		groups := map[string][]int{}
		for i, c := range v.columns {
			groups[c.title] = append(groups[c.title], i)
		}
		for _, group := range groups {
			values := map[string]bool{}
			for _, i := range group {
				values[part(v.columns[i].key)] = true
			}
			if len(values) < 2 {
				continue
			}
			for _, i := range group {
				if s := part(v.columns[i].key); s != "" {
					v.columns[i].title += " " + s
				}
			}
		}
	}
}

// cell is what the method of a row scored in a column, or nil.
func (v *view) cell(r row, c column) *results.Cell { return v.cells[place{r, c.key}] }

// name is a row's label: the method, and the run if there are several.
func (v *view) name(r row) string {
	if len(v.runs) == 1 {
		return r.method
	}
	return fmt.Sprintf("%s · run %d", r.method, r.run+1)
}

// runNames heads the columns of tables that set runs side by side.
func (v *view) runNames() []string {
	if len(v.runs) == 1 {
		return []string{"value"}
	}
	names := make([]string, len(v.runs))
	for i, r := range v.runs {
		names[i] = fmt.Sprintf("run %d: %s", i+1, cmp.Or(r.Suite.Name, "unnamed"))
	}
	return names
}

// title is a heading for all runs.
func (v *view) title() string {
	if len(v.runs) == 1 {
		return plain(cmp.Or(v.runs[0].Suite.Title, v.runs[0].Suite.Name, "ovbench"))
	}
	return fmt.Sprintf("%d runs", len(v.runs))
}

// comparable reports whether all runs followed one protocol on the same images.
func (v *view) comparable() bool { return len(v.differences()) == 0 }

// differences are the reasons why numbers of these runs must not be set side by side.
func (v *view) differences() []string {
	var out []string
	first := v.runs[0]
	for i, r := range v.runs[1:] {
		if r.Protocol.Fingerprint != first.Protocol.Fingerprint {
			out = append(out, fmt.Sprintf("run 1 and run %d followed different protocols (%s and %s): their numbers are not comparable",
				i+2, protocolName(first), protocolName(r)))
		}
		for _, d := range r.Datasets {
			o := first.Dataset(d.Name)
			if o != nil && o.Split == d.Split && (o.ListSHA256 != d.ListSHA256 || o.Measured != d.Measured) {
				out = append(out, fmt.Sprintf("%s: run 1 measured %d of %d images, run %d %d of %d, or other ones: their numbers are not comparable",
					d.Name, o.Measured, o.Images, i+2, d.Measured, d.Images))
			}
		}
	}
	return out
}

func protocolName(r *results.Run) string {
	return strings.TrimSpace(r.Protocol.Name + " " + shortHash(r.Protocol.Fingerprint))
}

// notices are all warnings, those that follow from the counts first.
func (v *view) notices() []string {
	out := v.differences()
	for i, r := range v.runs {
		say := func(format string, args ...any) {
			s := fmt.Sprintf(format, args...)
			if len(v.runs) > 1 {
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
		for _, c := range r.Cells {
			for _, w := range c.Warnings {
				say("%s, %s: %s", c.Dataset, c.Method, w)
			}
		}
	}
	return out
}
