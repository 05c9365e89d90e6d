package reports

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"ovbench/reports/results"
)

//go:embed published/*.yaml
var publishedFiles embed.FS

// Claim is a line of numbers that somebody printed. None was measured by ovbench.
type Claim struct {
	File     string `yaml:"-" json:"file"` // that holds it, without its ending
	Task     string `yaml:"-" json:"task"`
	Metric   string `yaml:"-" json:"metric"`
	Method   string `yaml:"method" json:"method"`
	Label    string `yaml:"label" json:"label"` // as printed
	Backbone string `yaml:"backbone" json:"backbone"`
	Weights  string `yaml:"weights" json:"weights,omitempty"` // empty: OpenAI's
	Trained  bool   `yaml:"trained" json:"trained,omitempty"` // beyond the weights
	// Needs are networks and data beyond the image-text model: DINO, SAM, Stable Diffusion, …
	Needs []string `yaml:"needs" json:"needs,omitempty"`
	// paper: the authors' own number; rerun: somebody ran it again; copy: printed by somebody else
	Kind     string `yaml:"kind" json:"kind"`
	Source   string `yaml:"source" json:"source"`
	Protocol string `yaml:"protocol" json:"protocol"`
	Remarks  string `yaml:"remarks" json:"remarks,omitempty"`
	// Unreliable says that there are reasons not to trust the line; Remarks has them.
	Unreliable bool `yaml:"unreliable" json:"unreliable,omitempty"`
	// percent by data set, with the digits that were printed
	Cells   map[string]float64 `yaml:"cells" json:"cells"`
	Average *float64           `yaml:"average" json:"average,omitempty"` // as printed
	// Recomputed is the average of Cells, of lines that print one.
	Recomputed *float64 `yaml:"-" json:"average_of_cells,omitempty"`
	// AverageDisagrees says that the printed average is not that of the printed cells.
	AverageDisagrees bool `yaml:"average_disagrees" json:"average_disagrees,omitempty"`
}

// claims is a file of them.
type claims struct {
	Title  string  `yaml:"title"`
	Task   string  `yaml:"task"`
	Metric string  `yaml:"metric"`
	Rows   []Claim `yaml:"rows"`
}

// Published are the numbers that papers and re-runs claim, in the order of the files under published/.
func Published() []Claim {
	all, err := published()
	if err != nil {
		panic(err) // the files are compiled in, and a test reads them
	}
	return all
}

var published = sync.OnceValues(func() ([]Claim, error) {
	files, err := publishedFiles.ReadDir("published")
	if err != nil {
		return nil, err
	}
	var all []Claim
	for _, f := range files {
		raw, err := publishedFiles.ReadFile("published/" + f.Name())
		if err != nil {
			return nil, err
		}
		rows, err := readClaims(strings.TrimSuffix(f.Name(), ".yaml"), raw)
		if err != nil {
			return nil, fmt.Errorf("published/%s: %w", f.Name(), err)
		}
		all = append(all, rows...)
	}
	return all, nil
})

// readClaims decodes a file: one document, no key unknown, and every line whole.
func readClaims(file string, raw []byte) ([]Claim, error) {
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	var c claims
	if err := d.Decode(&c); err != nil {
		return nil, err
	}
	if err := d.Decode(new(claims)); err != io.EOF {
		return nil, errors.Join(fmt.Errorf("more than one document"), err)
	}
	if c.Title == "" || c.Task == "" || c.Metric == "" || len(c.Rows) == 0 {
		return nil, fmt.Errorf("title, task, metric and rows must be given")
	}
	for i := range c.Rows {
		r := &c.Rows[i]
		r.File, r.Task, r.Metric = file, c.Task, c.Metric
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("row %d, %s: %w", i+1, r.Label, err)
		}
		if r.Average != nil {
			mean := r.mean()
			r.Recomputed = &mean
		}
	}
	return c.Rows, nil
}

// league says what a line needs, in the words of tables of methods.
func (c *Claim) league() string {
	if c.Trained {
		return results.League(append([]string{results.Trained}, c.Needs...))
	}
	return results.League(c.Needs)
}

// mean is the average of the cells, recomputed.
func (c *Claim) mean() float64 {
	sum := 0.0
	for _, name := range slices.Sorted(maps.Keys(c.Cells)) { // in a fixed order
		sum += c.Cells[name]
	}
	return sum / float64(len(c.Cells))
}

// check says what a line lacks or contradicts. A printed average may be off by the rounding of what was averaged and
// its own.
func (c *Claim) check() error {
	low := 0.0
	if c.Metric == "mSC" {
		low = -100
	}
	switch {
	case c.Method == "" || c.Label == "" || c.Backbone == "" || c.Source == "" || c.Protocol == "":
		return fmt.Errorf("method, label, backbone, source and protocol must be given")
	case !slices.Contains([]string{"paper", "rerun", "copy"}, c.Kind):
		return fmt.Errorf("kind %q is not paper, rerun or copy", c.Kind)
	case len(c.Cells) == 0:
		return fmt.Errorf("no cells")
	case slices.ContainsFunc(c.Needs, func(n string) bool { return !slices.Contains(results.Leagues, n) }):
		return fmt.Errorf("needs %s: want of %s", strings.Join(c.Needs, ", "), strings.Join(results.Leagues, ", "))
	case c.Unreliable && c.Remarks == "":
		return fmt.Errorf("unreliable without remarks that say why")
	}
	for name, x := range c.Cells {
		if !(x >= low && x <= 100) {
			return fmt.Errorf("%s: %v is not in %v..100", name, x, low)
		}
	}
	if c.Average == nil {
		return nil
	}
	if off := math.Abs(c.mean() - *c.Average); (off > 0.1+1e-9) != c.AverageDisagrees {
		return fmt.Errorf("average %v, the cells average %.2f; say so with average_disagrees where the source is at "+
			"odds with itself", *c.Average, c.mean())
	}
	return nil
}

// published are the claims beside a view: two tables for each task, metric and backbone. They were
// made under other protocols, so they are not ranked and not averaged.
func publishedTables(v *view) []table {
	type group struct{ task, metric, backbone string }
	var order []group
	of := map[group][]Claim{}
	for _, c := range claimsAbout(v) {
		g := group{c.Task, c.Metric, c.Backbone}
		if of[g] == nil {
			order = append(order, g)
		}
		of[g] = append(of[g], c)
	}
	var out []table
	for _, g := range order {
		out = append(out, claimTables(v, of[g], g.backbone+", "+g.metric)...)
	}
	return out
}

// claims are those about the data sets, metrics and backbones of a view.
func claimsAbout(v *view) []Claim {
	return slices.DeleteFunc(slices.Clone(Published()), func(c Claim) bool {
		return len(claimed(v, c)) == 0 || !slices.ContainsFunc(v.runs,
			func(r *results.Run) bool { return r.Model.Architecture == c.Backbone })
	})
}

// claimed are the columns of a view that a claim speaks of.
func claimed(v *view, c Claim) []column {
	var out []column
	for _, col := range v.columns {
		if _, ok := c.Cells[col.key.dataset]; ok && col.key.mark() == "" && (col.key.task == c.Task || col.key.task == "") &&
			hasScore(v, col, c.Metric) &&
			!slices.ContainsFunc(out, func(o column) bool { return o.key.dataset == col.key.dataset }) {
			out = append(out, col)
		}
	}
	return out
}

// hasScore reports whether a column has a score of that name.
func hasScore(v *view, c column, metric string) bool {
	return slices.ContainsFunc(v.rows, func(r row) bool { return v.cell(r, c).Score(metric) != nil })
}

// claimTables sets claims below each other, in one table the numbers, with the digits they were printed with, in the
// next where they come from; lines of the two are matched by their number.
func claimTables(v *view, list []Claim, about string) []table {
	var columns []column
	for _, col := range v.columns {
		if slices.ContainsFunc(list, func(c Claim) bool { return slices.Contains(claimed(v, c), col) }) {
			columns = append(columns, col)
		}
	}
	numbers := table{name: "published", level: 2, title: "Published numbers, other protocols: " + about,
		head: []string{"No.", "Method", "Needs"}, left: map[int]bool{1: true, 2: true}}
	for _, col := range columns {
		numbers.head = append(numbers.head, v.shortOf(col))
	}
	averaged := slices.ContainsFunc(list, func(c Claim) bool { return c.Average != nil })
	if averaged {
		numbers.head = append(numbers.head, "Average there")
	}
	sources := table{name: "published-sources", level: 3, title: "Where the published numbers come from: " + about,
		words: true,
		head:  []string{"No.", "Method", "Source", "Protocol there", "Remarks"}}
	doubted := false
	var disagree []string
	for i, c := range list {
		no := strconv.Itoa(i + 1)
		label := c.Label
		if c.Unreliable {
			label += " †"
			doubted = true
		}
		line := texts(no, label, c.league())
		for _, col := range columns {
			e := entry{text: missing}
			if x, ok := c.Cells[col.key.dataset]; ok {
				e.text = trimFloat(x)
			}
			line = append(line, e)
		}
		if averaged {
			e := entry{text: missing}
			if c.Average != nil {
				e.text = trimFloat(*c.Average)
			}
			if c.AverageDisagrees {
				e.text += " ‡"
				disagree = append(disagree, fmt.Sprintf("%s %s, its cells %.1f", c.Label, trimFloat(*c.Average),
					*c.Recomputed))
			}
			line = append(line, e)
		}
		numbers.rows = append(numbers.rows, line)
		sources.rows = append(sources.rows, texts(no, label, c.Source+" ("+c.Kind+")", c.Protocol, c.remarks()))
	}
	numbers.notes = []string{"Percent, as printed by others under other protocols: to be read beside the scores " +
		"above, not ranked with them."}
	if doubted {
		numbers.notes = append(numbers.notes, "† not to be trusted; the remarks say why.")
	}
	if averaged {
		numbers.notes = append(numbers.notes, "Averages are as printed, over all data sets of the source.")
	}
	if len(disagree) > 0 {
		numbers.notes = append(numbers.notes, "‡ printed at odds with its own cells: "+strings.Join(disagree, "; ")+".")
	}
	numbers.notes = append(numbers.notes, shortened(columns)...)
	sources.notes = []string{"paper: the authors' own number; rerun: somebody ran the method again; copy: " +
		"printed by somebody else."}
	return []table{numbers, sources}
}

// remarks are all reservations about a claim on one line.
func (c *Claim) remarks() string {
	var parts []string
	if c.Weights != "" {
		parts = append(parts, "weights: "+c.Weights)
	}
	return join(append(parts, c.Remarks), "; ")
}
