package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ovbench/reports/results"
)

// document is a report as a list of blocks, in reading order. PDF and HTML spell it.
type document struct {
	title  string
	digits int    // of percentages
	lead   []span // what was asked, in a sentence or two
	answer string // what came out, in one
	strip  *strip // a sample that shows it, or nil
	facts  table  // what was asked and resolved
	blocks []any  // heading, paragraph, table, figureBlock, panelBlock, listing
}

type heading struct {
	level int // 1 is a chapter
	text  string
}

type paragraph struct {
	text string
	warn bool
}

type figureBlock struct{ figure figure }

// panelBlock is the samples of a data set, each with what all runs see in it.
type panelBlock struct{ samples []sampleRef }

// sampleRef is a sample as the runs kept it.
type sampleRef struct {
	id   string
	kept []keptPanel
}

// keptPanel is a sample of one run, whose methods have names of their own beside other runs.
type keptPanel struct {
	run   *results.Run
	panel *results.Panel
	name  func(method string) string
}

// listing is text that is to be copied as it is.
type listing struct{ text string }

// document lays out all there is to say of a view.
func documentOf(v *view) (*document, error) {
	figures, err := figuresOf(v)
	if err != nil {
		return nil, err
	}
	d := &document{title: titleOf(v.runs), digits: v.digits(), facts: factsTable(v.runs), lead: leadOf(v),
		strip: stripOf(v)}
	d.summary(v, figures)
	for i, b := range v.blocks() {
		for _, c := range b.columns {
			d.column(b, i, c, figures)
		}
	}
	d.published(v)
	d.chapter("More figures", figures, func(f figure) bool { return f.place == placeLast })
	d.panels(v)
	d.warnings(v)
	d.add(heading{1, "What was measured"})
	d.table("Data sets", datasetsTable(v.runs))
	d.table("Methods", methodsTable(v))
	d.table("Protocol", protocolTable(v.runs))
	d.table("Model", modelTable(v.runs))
	d.table("Time by stage", timingTable(v.runs))
	d.table("Provenance", provenanceTable(v.runs))
	d.reproduce(v)
	return d, nil
}

func (d *document) add(blocks ...any) { d.blocks = append(d.blocks, blocks...) }

// table adds a table, unless it has no rows.
func (d *document) table(title string, t table) {
	if t.title = title; len(t.rows) > 0 {
		t.round(d.digits)
		d.add(t)
	}
}

// figures adds those that are wanted.
func (d *document) figures(all []figure, want func(figure) bool) {
	for _, f := range all {
		if want(f) {
			d.add(figureBlock{f})
		}
	}
}

// chapter is one of figures alone, if there are any.
func (d *document) chapter(title string, all []figure, want func(figure) bool) {
	if slices.ContainsFunc(all, want) {
		d.add(heading{1, title})
		d.figures(all, want)
	}
}

// facts are what one wants to know before any number.
func factsTable(runs []*results.Run) table {
	return sideBySide(runs, []string{"Suite", "Model", "Weights", "Networks", "Protocol", "Fingerprint", "Methods",
		"Data sets",
		"Images", "Result", "Measured", "Host", "Program"},
		func(r *results.Run, k string) string {
			switch k {
			case "Suite":
				return join([]string{r.Suite.Name, bracket(cmp.Or(r.Suite.Title, ""))}, " ")
			case "Model":
				return join([]string{r.Model.Called(), r.Model.Architecture}, ", ")
			case "Weights":
				return weightsText(r.Model.Files)
			case "Networks":
				return networksText(r.Networks)
			case "Protocol":
				return r.Protocol.Name
			case "Fingerprint":
				return r.Protocol.Fingerprint
			case "Methods":
				var names []string
				for _, m := range r.Methods {
					names = append(names, m.Name)
				}
				return strings.Join(names, ", ")
			case "Data sets":
				var names []string
				for _, s := range r.Datasets {
					names = append(names, join([]string{cmp.Or(s.Title, s.Name), s.Split}, " "))
				}
				return strings.Join(names, ", ")
			case "Images":
				measured, all := 0, 0
				for _, s := range r.Datasets {
					measured, all = measured+s.Measured, all+s.Images
				}
				return fmt.Sprintf("%d of %d measured, %d failed", measured, all, len(r.Failures))
			case "Result":
				if !r.Complete {
					return "not complete"
				}
				return "complete"
			case "Measured":
				return join([]string{timeText(r.Started), timeText(r.Finished)}, " to ")
			case "Host":
				return hostText(r.Host)
			}
			return join([]string{"ovbench " + toolText(r.Tool),
				strings.TrimSpace(r.Runtime.Name + " " + r.Runtime.Version)}, ", ")
		})
}

func bracket(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// networksText are the networks beside the image-text model.
func networksText(list []results.Network) string {
	var out []string
	for _, n := range list {
		out = append(out, join([]string{n.Role + ": " + n.Model.Architecture, weightsText(n.Model.Files)}, ", "))
	}
	return strings.Join(out, "; ")
}

func weightsText(files []results.File) string {
	var out []string
	for _, f := range files[:min(len(files), 2)] {
		out = append(out, join([]string{"sha256", f.SHA256}, " "))
	}
	if n := len(files) - len(out); n > 0 {
		out = append(out, fmt.Sprintf("and %d files more", n))
	}
	return strings.Join(out, ", ")
}

// summary is the answer: charts and tables of main scores, task by task, and what is to be known about them.
func (d *document) summary(v *view, figures []figure) {
	d.add(heading{1, "Summary"})
	for i, b := range v.blocks() {
		for j, s := range verdicts(b) {
			if i == 0 && j == 0 {
				d.answer = s
			}
			d.add(paragraph{text: s})
		}
		main := func(f figure) bool {
			return f.place == placeSummary && f.block == i && strings.HasPrefix(f.Name, "scores")
		}
		d.figures(figures, main)
		d.table(b.heading("Main scores"), summaryOf(b))
		for _, t := range modelTables(b) {
			d.table(b.heading(t.title), t)
		}
		d.figures(figures, func(f figure) bool { return f.place == placeSummary && f.block == i && !main(f) })
	}
	for _, s := range differencesOf(v.runs) {
		d.add(paragraph{text: s + ".", warn: true})
	}
	if n := len(notices(v.runs)) - len(differencesOf(v.runs)); n > 0 {
		d.add(paragraph{text: fmt.Sprintf("Warnings: %d; see the chapter “Failures and warnings”.", n), warn: true})
	}
}

// published is the chapter of what others claim, apart from what was measured.
func (d *document) published(v *view) {
	tables := publishedTables(v)
	if len(tables) == 0 {
		return
	}
	d.add(heading{1, "Published numbers"})
	for _, t := range tables {
		d.table(t.title, t)
	}
}

// verdicts say which method has the highest score of each data set, where all may be compared.
func verdicts(v *view) []string {
	if !v.comparable() {
		return nil
	}
	var out []string
	for _, c := range v.columns {
		all := seriesOf(v, c, func(x *results.Cell) bool { return x.Score(c.metric) != nil })
		if len(all) < 2 {
			continue
		}
		k := topOf(c, all)
		s := all[k].cell.Score(c.metric)
		var tied []string // methods whose score reads the same
		for _, x := range all {
			if v.percent(x.cell.Score(c.metric).Value) == v.percent(s.Value) {
				tied = append(tied, x.name)
			}
		}
		if len(tied) > 1 {
			out = append(out, fmt.Sprintf("%s: %s and %s have the highest %s, %s %%.", v.heading(c.title),
				strings.Join(tied[:len(tied)-1], ", "), tied[len(tied)-1], c.metric, v.percent(s.Value)))
			continue
		}
		text := fmt.Sprintf("%s: %s has the highest %s, %s %%", v.heading(c.title), all[k].name, c.metric,
			v.percent(s.Value))
		if s.Low != nil {
			text += fmt.Sprintf(" (%s to %s)", v.percent(*s.Low), v.percent(*s.High))
		}
		if k > 0 {
			text += fmt.Sprintf("; %s has %s %%", all[0].name, v.percent(all[0].cell.Score(c.metric).Value))
		}
		out = append(out, text+".")
	}
	return out
}

// column is the chapter of a data set in block i.
func (d *document) column(b *view, i int, c column, figures []figure) {
	d.add(heading{1, b.heading(c.title)})
	d.table(b.heading(c.title), scoresOf(b, c))
	d.figures(figures, func(f figure) bool { return f.place == placeColumn && f.of == c.key && f.block == i })
	d.table(b.heading(c.title+", class by class"), classesOf(b, c))
}

// panels are the samples, data set by data set; those that several runs kept stand once, with the methods of all.
func (d *document) panels(v *view) {
	type set struct{ name, task string }
	var order []set
	of := map[set][]sampleRef{}
	choice := map[set]string{}
	for i, r := range v.runs {
		name := func(method string) string {
			for o, runs := range v.of {
				if o.method == method && slices.Contains(runs, i) {
					return v.name(o)
				}
			}
			return method
		}
		for j := range r.Panels {
			p := &r.Panels[j]
			s := set{p.Dataset, taskOf(r)}
			if of[s] == nil {
				order, choice[s] = append(order, s), r.Choice
			}
			k := slices.IndexFunc(of[s], func(x sampleRef) bool { return x.id == p.ID })
			if k < 0 && len(of[s]) < maxSamples {
				k, of[s] = len(of[s]), append(of[s], sampleRef{id: p.ID})
			}
			if k >= 0 {
				of[s][k].kept = append(of[s][k].kept, keptPanel{r, p, name})
			}
		}
	}
	for i, s := range order {
		if i == 0 {
			d.add(heading{1, "Samples"})
			d.add(paragraph{text: "Similarity maps are stretched to 0…1 for each picture. Label maps and error maps " +
				"are drawn without mixing labels; numbers under them are of the full size."})
		}
		title := s.name
		if x := of[s][0].kept[0].run.Dataset(s.name); x != nil && x.Title != "" {
			title = x.Title
		}
		if slices.ContainsFunc(order, func(o set) bool { return o.task != s.task }) {
			title = join([]string{title, taskTitle(s.task)}, ", ")
		}
		d.add(heading{2, title})
		if choice[s] != "" {
			d.add(paragraph{text: choice[s]})
		}
		d.add(panelBlock{of[s]})
	}
}

func (d *document) warnings(v *view) {
	notices, failures := notices(v.runs), failuresTable(v.runs)
	d.add(heading{1, "Failures and warnings"})
	if len(notices) == 0 && len(failures.rows) == 0 {
		d.add(paragraph{text: "None."})
	}
	for _, s := range notices {
		d.add(paragraph{text: s, warn: true})
	}
	d.table("Failures", failures)
}

// reproduce tells how to measure again.
func (d *document) reproduce(v *view) {
	d.add(heading{1, "How to measure again"})
	for i, r := range v.runs {
		if len(v.runs) > 1 {
			d.add(heading{2, runNames(v.runs)[i]})
		}
		with := fmt.Sprintf("With ovbench %s", join([]string{cmp.Or(r.Tool.Version, "of the version above"),
			bracket(join([]string{"revision", r.Tool.Revision}, " "))}, " "))
		if r.Tool.Revision == "" {
			with = "With ovbench " + cmp.Or(r.Tool.Version, "of the version above")
		}
		if r.Tool.Dirty {
			with += ", whose source had local changes"
		}
		d.add(paragraph{text: with + ", with weights and data of the hashes in this report:"})
		command := r.Command
		if len(command) == 0 {
			command = []string{"ovbench", "run", cmp.Or(r.Suite.File, r.Suite.Name), "--out", "DIR"}
		}
		d.add(listing{shell(command)})
		if r.Suite.Text != "" {
			name := cmp.Or(r.Suite.File, r.Suite.Name)
			d.add(paragraph{text: fmt.Sprintf("The suite %s as it was resolved (sha256 %s):", name, r.Suite.SHA256)})
			d.add(listing{r.Suite.Text})
		}
	}
}

// shell quotes words so that a shell reads them as they are.
func shell(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		safe := w != "" && !slices.ContainsFunc([]rune(w), func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
				strings.ContainsRune("_-./=:,@%+", r))
		})
		if quoted[i] = w; !safe {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
