package reports

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"ovbench/reports/results"
)

// view is a set of runs laid out for reading: methods down, data sets across.
type view struct {
	runs    []*results.Run
	members []int // indices of the runs whose rows these are
	rows    []row
	columns []column
	cells   map[place]*results.Cell
	of      map[row][]int // runs that a row gathers
	part    string        // what tells this view from the other blocks of a report; empty where there is one
}

// place is where a cell stands.
type place struct {
	row
	columnKey
}

// row is a method of a run, and of later runs that measured the same on other data sets.
type row struct {
	run    int // index into runs, the first
	method string
}

// column is a data set under a task and a convention.
type column struct {
	key    columnKey
	title  string
	metric string // the score that tables show
}

type columnKey struct{ dataset, split, task, convention string }

// newView lays out runs in the order of their methods and cells. Cells of one data set, split, task and convention
// share a column; a method that several runs measured with the same model and protocol, each on other data sets,
// shares a row.
func newView(runs []*results.Run) *view {
	v := &view{runs: runs, cells: map[place]*results.Cell{}, of: map[row][]int{}}
	at := map[columnKey]int{}
	for i, r := range runs {
		v.members = append(v.members, i)
		rows := map[string]row{}
		for _, m := range r.Methods {
			rows[m.Name] = v.rowOf(i, m.Name)
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
			v.cells[place{rows[c.Method], k}] = c
			col := &v.columns[at[k]]
			if name := r.Headline(c); col.metric == "" || name == "mIoU" && len(r.Suite.Metrics) == 0 {
				col.metric = name
			}
		}
	}
	v.distinguish()
	return v
}

// rowOf is the row for a method of run i: one that measured the same on other data sets so far, else a new one.
func (v *view) rowOf(i int, method string) row {
	for _, r := range v.rows {
		if r.method == method && !slices.ContainsFunc(v.of[r], func(o int) bool { return !v.continues(o, i, method) }) {
			v.of[r] = append(v.of[r], i)
			return r
		}
	}
	r := row{run: i, method: method}
	v.rows = append(v.rows, r)
	v.of[r] = []int{i}
	return r
}

// continues reports whether run b measured a method as run a did, on data sets that a does not have.
func (v *view) continues(a, b int, method string) bool {
	x, y := v.runs[a], v.runs[b]
	if x == y || x.Protocol.Fingerprint != y.Protocol.Fingerprint || modelKey(x) != modelKey(y) {
		return false
	}
	if slices.ContainsFunc(y.Datasets, func(d results.Dataset) bool { return x.Dataset(d.Name) != nil }) {
		return false
	}
	return reflect.DeepEqual(x.Method(method), y.Method(method))
}

// modelKey is equal for runs of one model: the hashes of its files, or its name where there are none.
func modelKey(r *results.Run) string {
	key := r.Model.Activation
	for _, f := range append(slices.Clone(r.Model.Files), r.Model.Vocabulary) {
		key += "\n" + f.SHA256
	}
	if strings.TrimSpace(key) == r.Model.Activation {
		return r.Model.Name
	}
	return key
}

// blocks are the parts of a view whose numbers may be set side by side: one per protocol, in the order of the runs. A
// view of one protocol is its own block.
func (v *view) blocks() []*view {
	var order []string
	of := map[string]*view{}
	for i, r := range v.runs {
		p := r.Protocol.Fingerprint
		if of[p] == nil {
			order = append(order, p)
			of[p] = &view{runs: v.runs, cells: v.cells, of: v.of, part: "protocol " +
				cmp.Or(protocolName(r), "unnamed")}
		}
		of[p].members = append(of[p].members, i)
	}
	if len(order) < 2 {
		return []*view{v}
	}
	var out []*view
	for _, p := range order {
		b := of[p]
		for _, r := range v.rows {
			if v.runs[r.run].Protocol.Fingerprint == p {
				b.rows = append(b.rows, r)
			}
		}
		for _, c := range v.columns {
			if slices.ContainsFunc(b.rows, func(r row) bool { return v.cell(r, c) != nil }) {
				b.columns = append(b.columns, c)
			}
		}
		out = append(out, b)
	}
	return out
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

// name is a row's label: the method, and its runs where another row has the same method. Models are named where they
// differ.
func (v *view) name(r row) string {
	alone := true
	for o := range v.of {
		alone = alone && (o == r || o.method != r.method)
	}
	if alone {
		return r.method
	}
	name := r.method + " · run"
	for i, n := range v.of[r] {
		if i > 0 {
			name = strings.Replace(name, " · run ", " · runs ", 1) + ","
		}
		name += fmt.Sprintf(" %d", n+1)
	}
	if model := v.modelName(v.runs[r.run]); model != "" {
		name += ", " + model
	}
	return name
}

// modelName tells the model of m from those of other runs: by its architecture, or by its name where that is the
// same. It is empty where all runs have one model.
func (v *view) modelName(m *results.Run) string {
	name := ""
	for _, o := range v.runs {
		switch {
		case modelKey(o) == modelKey(m):
		case o.Model.Architecture == m.Model.Architecture:
			return cmp.Or(m.Model.Name, m.Model.Architecture)
		default:
			name = cmp.Or(m.Model.Architecture, m.Model.Name)
		}
	}
	return name
}

// comparable reports whether the runs behind the rows followed one protocol on the same images.
func (v *view) comparable() bool { return len(differences(v.runs, v.members)) == 0 }

func protocolName(r *results.Run) string {
	return strings.TrimSpace(r.Protocol.Name + " " + shortHash(r.Protocol.Fingerprint))
}

// heading is a title that says which block it belongs to, if there are several.
func (v *view) heading(title string) string {
	if v.part == "" {
		return title
	}
	return title + ", " + v.part
}

// file is a name for a table of block i.
func (v *view) file(name string, i int) string {
	if v.part != "" {
		name += fmt.Sprintf("-%d", i+1)
	}
	return name
}

// dataset is the data set of a cell; the row's runs share the columns.
func (v *view) dataset(r row, c column) *results.Dataset {
	for _, i := range v.of[r] {
		for j := range v.runs[i].Datasets {
			if d := &v.runs[i].Datasets[j]; d.Name == c.key.dataset && d.Split == c.key.split {
				return d
			}
		}
	}
	return nil
}
