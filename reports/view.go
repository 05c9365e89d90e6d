package reports

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"ovbench/reports/results"
)

// view is a set of runs laid out for reading: methods down, data sets across.
type view struct {
	layout  *Layout
	runs    []*results.Run
	members []int // indices of the runs whose rows these are
	rows    []row
	columns []column
	cells   map[place]*results.Cell
	of      map[row][]int // runs that a row gathers
	part    string        // what tells this view from the other blocks of a report; empty where there is one
	suffix  string        // of its files, likewise
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
	full   string // title before it was told apart
	metric string // the score that tables show
	note   string // who decided pixels; "" for nobody but the protocol
}

type columnKey struct {
	dataset, split, task, convention string
	oracle                           bool   // the truth said which classes competed
	experts                          string // SHA-256 of the file of class experts, who decided pixels; "" without
}

// mark stands behind the title of a data set whose scores are no result of a method alone.
func (k columnKey) mark() string {
	if k.oracle {
		return " (ORACLE)"
	}
	if k.experts != "" {
		return " (experts)"
	}
	return ""
}

// marks are the notes under tables about columns that are marked.
func marks(columns ...column) (notes []string) {
	if slices.ContainsFunc(columns, func(c column) bool { return c.key.oracle }) {
		notes = append(notes, results.OracleNote)
	}
	for _, c := range columns {
		if c.note != "" {
			notes = append(notes, c.title+": "+c.note+".")
		}
	}
	return notes
}

// newView lays out runs in the order of their methods and cells. Cells of one data set, split, task and convention
// share a column; a method that several runs measured with the same model and protocol, each on other data sets,
// shares a row.
func newView(runs []*results.Run, l *Layout) *view {
	v := &view{layout: l, runs: runs, cells: map[place]*results.Cell{}, of: map[row][]int{}}
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
			k := columnKey{d.Name, d.Split, c.Task, c.Convention, d.Oracle(), d.Experts.Hash()}
			if _, ok := at[k]; !ok {
				at[k] = len(v.columns)
				full := cmp.Or(d.Title, d.Name)
				v.columns = append(v.columns, column{key: k, title: full + k.mark(), full: full})
				if d.Experts != nil {
					v.columns[at[k]].note = d.Experts.Note()
				}
			}
			v.cells[place{rows[c.Method], k}] = c
			col := &v.columns[at[k]]
			if name := r.Headline(c); col.metric == "" || name == "mIoU" && len(r.Suite.Metrics) == 0 {
				col.metric = name
			}
		}
	}
	v.distinguish()
	l.sort(v)
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
	if x == y || x.Protocol.Fingerprint != y.Protocol.Fingerprint || modelKey(x) != modelKey(y) ||
		x.Runtime.Computed() != y.Runtime.Computed() {
		return false
	}
	if slices.ContainsFunc(y.Datasets, func(d results.Dataset) bool { return x.Dataset(d.Name) != nil }) {
		return false
	}
	return reflect.DeepEqual(x.Method(method), y.Method(method))
}

// computed says which lines were computed otherwise than in f32 on the CPU.
func (v *view) computed() (notes []string) {
	lines := map[string][]string{}
	for _, r := range v.rows {
		if how := v.runs[r.run].Runtime.Computed(); how != (results.Runtime{}).Computed() {
			lines[how] = append(lines[how], v.name(r))
		}
	}
	for _, how := range slices.Sorted(maps.Keys(lines)) {
		which := strings.Join(lines[how], ", ")
		if len(lines[how]) == len(v.rows) {
			which = "Everything"
		}
		notes = append(notes, which+" was computed in "+how+".")
	}
	return notes
}

// modelKey is equal for runs of one model: the hashes of its files, or its name where there are none.
func modelKey(r *results.Run) string {
	key := r.Model.Activation
	for _, f := range append(slices.Clone(r.Model.Files), r.Model.Vocabulary) {
		key += "\n" + f.SHA256
	}
	if strings.TrimSpace(key) == r.Model.Activation {
		key = r.Model.Name
	}
	for _, n := range r.Networks {
		key += "\n" + n.Role
		for _, f := range n.Model.Files {
			key += "\n" + f.SHA256
		}
	}
	return key
}

// blocks are the parts of a view whose numbers may be set side by side: one per task and protocol, in the order of the
// columns. A view of one task and one protocol is its own block.
func (v *view) blocks() []*view {
	type question struct{ task, protocol string }
	var order []question
	of := map[question]*view{}
	tasks, protocols := map[string]bool{}, map[string]bool{}
	for _, c := range v.columns {
		for _, r := range v.rows {
			if v.cell(r, c) == nil {
				continue
			}
			q := question{c.key.task, v.runs[r.run].Protocol.Fingerprint}
			b := of[q]
			if b == nil {
				b = &view{layout: v.layout, runs: v.runs, cells: v.cells, of: v.of}
				order, of[q] = append(order, q), b
				tasks[q.task], protocols[q.protocol] = true, true
			}
			if !slices.Contains(b.columns, c) {
				b.columns = append(b.columns, c)
			}
		}
	}
	if len(order) < 2 {
		return []*view{v}
	}
	var out []*view
	for i, q := range order {
		b := of[q]
		for _, r := range v.rows { // in their order
			if v.runs[r.run].Protocol.Fingerprint == q.protocol &&
				slices.ContainsFunc(b.columns, func(c column) bool { return v.cell(r, c) != nil }) {
				b.rows = append(b.rows, r)
				for _, m := range v.of[r] {
					if !slices.Contains(b.members, m) {
						b.members = append(b.members, m)
					}
				}
			}
		}
		slices.Sort(b.members)
		var parts []string
		if len(tasks) > 1 {
			parts, b.suffix = append(parts, taskTitle(q.task)), "-"+slug(taskTitle(q.task))
		}
		if len(protocols) > len(tasks) || len(order) > len(tasks) {
			parts = append(parts, "protocol "+cmp.Or(protocolName(v.runs[b.members[0]]), "unnamed"))
			b.suffix = fmt.Sprintf("-%d", i+1)
		}
		b.part = strings.Join(parts, ", ")
		out = append(out, b)
	}
	return out
}

// taskTitle is what a task is called in headings.
func taskTitle(task string) string {
	switch task {
	case "explain":
		return "explanation"
	case "multilabel":
		return "recognition"
	}
	return task
}

// distinguish adds to equal titles what tells the columns apart.
func (v *view) distinguish() {
	for _, part := range []func(columnKey) string{
		func(k columnKey) string { return k.split },
		func(k columnKey) string { return taskTitle(k.task) },
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

// name is a row's label: the method, and its runs where another row of the task has the same method. Models are named
// where they differ.
func (v *view) name(r row) string {
	alone := true
	for o := range v.of {
		alone = alone && (o == r || o.method != r.method || taskOf(v.runs[o.run]) != taskOf(v.runs[r.run]))
	}
	if alone {
		return r.method
	}
	if label := v.runs[r.run].Label; label != "" {
		return r.method + " · " + label
	}
	model := modelName(v.runs, v.runs[r.run])
	if model != "" && v.tells(r, model) {
		return r.method + " · " + model
	}
	name := r.method + " · run"
	for i, n := range v.of[r] {
		if i > 0 {
			name = strings.Replace(name, " · run ", " · runs ", 1) + ","
		}
		name += fmt.Sprintf(" %d", n+1)
	}
	if model != "" {
		name += ", " + model
	}
	return name
}

// tells reports whether no other row of r's method and task is of a model of that name.
func (v *view) tells(r row, model string) bool {
	for o := range v.of {
		if o != r && o.method == r.method && taskOf(v.runs[o.run]) == taskOf(v.runs[r.run]) &&
			modelName(v.runs, v.runs[o.run]) == model {
			return false
		}
	}
	return true
}

// modelName tells the model of m from those of other runs: by its title, its architecture, or its name where
// architectures are the same. It is empty where all runs have one model.
func modelName(runs []*results.Run, m *results.Run) string {
	name := ""
	for _, o := range runs {
		switch {
		case modelKey(o) == modelKey(m):
		case m.Model.Title+o.Model.Title != "", o.Model.Architecture == m.Model.Architecture:
			return cmp.Or(m.Model.Called(), m.Model.Architecture)
		default:
			name = cmp.Or(m.Model.Architecture, m.Model.Called())
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
	if v.part == "" || strings.Contains(title, " "+v.part) {
		return title
	}
	return title + ", " + v.part
}

// file is a name for a table or figure of a block; that of a column may say its task already.
func (v *view) file(name string) string {
	if strings.HasSuffix(name, v.suffix) || strings.Contains(name, v.suffix+"-") {
		return name
	}
	return name + v.suffix
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

// digits are the decimals of percentages.
func (v *view) digits() int { return cmp.Or(v.layout.Digits, usualDigits) }

// percent spells a fraction in percent.
func (v *view) percent(x float64) string { return percentTo(x, v.digits()) }

// needs are what the methods of the rows need beyond their texts and pictures; nil where CLIP is enough for all.
func (v *view) needs() map[row]string {
	out, more := map[row]string{}, false
	for _, r := range v.rows {
		out[r] = v.runs[r.run].Method(r.method).League()
		more = more || out[r] != results.League(nil)
	}
	if !more {
		return nil
	}
	return out
}
