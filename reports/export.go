package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"ovbench/reports/plain"
	"ovbench/reports/results"
)

// JSONSchema names the format JSON writes.
const JSONSchema = "ovbench.report/1"

// writeJSON writes runs as one document: {"schema": "ovbench.report/1", "summary": […], "published": […], "runs":
// […]}. A run is as in its results.json; summary is the table of main scores and averages, one block a protocol;
// published are numbers that others claim for the same data sets and backbone, in percent.
func writeJSON(w io.Writer, v *view) error {
	for _, r := range v.runs {
		if err := r.Validate(); err != nil {
			return err
		}
	}
	return indented(w, struct {
		Schema    string         `json:"schema"`
		Summary   []block        `json:"summary"`
		Published []Claim        `json:"published,omitempty"`
		Runs      []*results.Run `json:"runs"`
	}{JSONSchema, summaries(v), claimsAbout(v), v.runs})
}

// indented writes a document for programs that people can read, with <, > and & as they are.
func indented(w io.Writer, document any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(document)
}

// block is the table of main scores of one protocol.
type block struct {
	Protocol    string        `json:"protocol,omitempty"`
	Fingerprint string        `json:"fingerprint,omitempty"`
	Columns     []blockColumn `json:"columns"`
	Rows        []blockRow    `json:"rows"`
	NoAverage   string        `json:"no_average,omitempty"` // why the rows have none
}

type blockColumn struct {
	Dataset    string `json:"dataset"`
	Split      string `json:"split,omitempty"`
	Task       string `json:"task,omitempty"`
	Convention string `json:"convention,omitempty"`
	Score      string `json:"score,omitempty"`
	Oracle     bool   `json:"oracle,omitempty"`  // the truth said which classes competed: no result of a method
	Experts    string `json:"experts,omitempty"` // SHA-256 of the file of class experts, who decided pixels
}

// exported is a column as files of numbers name it.
func (c column) exported() blockColumn {
	return blockColumn{c.key.dataset, c.key.split, c.key.task, c.key.convention, c.metric, c.key.oracle,
		c.key.experts}
}

type blockRow struct {
	Name    string     `json:"name"` // in tables: the method, with its runs where it occurs twice
	Method  string     `json:"method"`
	Model   string     `json:"model"`
	Needs   string     `json:"needs"`   // CLIP, CLIP + DINO, …, trained
	Runs    []int      `json:"runs"`    // counted from 1
	Values  []*float64 `json:"values"`  // by column; null where missing
	Average *float64   `json:"average"` // null where a value is missing or the columns are unlike
}

// summaries are the blocks of a view, in full precision.
func summaries(v *view) []block {
	var out []block
	for _, b := range v.blocks() {
		first := v.runs[b.members[0]]
		x := block{Protocol: first.Protocol.Name, Fingerprint: first.Protocol.Fingerprint}
		for _, c := range b.columns {
			x.Columns = append(x.Columns, c.exported())
		}
		averaged, why := averages(b)
		x.NoAverage = why
		for _, r := range b.rows {
			line := blockRow{Name: b.name(r), Method: r.method, Model: v.runs[r.run].Model.Called(),
				Needs: v.runs[r.run].Method(r.method).League()}
			for _, i := range v.of[r] {
				line.Runs = append(line.Runs, i+1)
			}
			var scores []*results.Score
			for _, c := range b.columns {
				s := v.cell(r, c).Score(c.metric)
				scores = append(scores, s)
				line.Values = append(line.Values, plainScore(s).value)
			}
			if averaged {
				line.Average = average(scores)
			}
			x.Rows = append(x.Rows, line)
		}
		out = append(out, x)
	}
	return out
}

// writeSummaryCSV writes the table of main scores in full precision: one line for each protocol and method, one
// column for each data set, the average of the line, and the model. Missing values are empty.
func writeSummaryCSV(w io.Writer, v *view) error {
	head := []string{"protocol", "fingerprint", "method", "runs"}
	for _, c := range v.columns {
		head = append(head, strings.TrimSpace(c.title+" "+c.metric))
	}
	out := plain.NewCSV(w)
	out.Write(append(head, "average", "model", "needs"))
	for _, b := range summaries(v) {
		for _, r := range b.Rows {
			line := []string{b.Protocol, b.Fingerprint, r.Method, strings.Trim(fmt.Sprint(r.Runs), "[]")}
			for _, c := range v.columns {
				i := slices.Index(b.Columns, c.exported())
				if i < 0 {
					line = append(line, "")
					continue
				}
				line = append(line, full(r.Values[i]))
			}
			out.Write(append(line, full(r.Average), r.Model, r.Needs))
		}
	}
	out.Flush()
	return out.Error()
}

// writePublishedCSV writes what others claim for the same data sets and backbones: one line for each claim, in percent
// and with the digits that were printed, its average as printed and as its cells give it. Missing values are empty.
func writePublishedCSV(w io.Writer, v *view) error {
	head := []string{"method", "backbone", "weights", "needs", "kind", "source", "protocol", "remarks", "unreliable",
		"metric"}
	claims := claimsAbout(v)
	var columns []string
	for _, c := range v.columns {
		if name := c.key.dataset; !slices.Contains(columns, name) &&
			slices.ContainsFunc(claims, func(q Claim) bool { _, ok := q.Cells[name]; return ok }) {
			columns = append(columns, name)
		}
	}
	out := plain.NewCSV(w)
	out.Write(append(append(head, columns...), "average", "average_of_cells", "average_disagrees"))
	for _, c := range claims {
		line := []string{c.Label, c.Backbone, c.Weights, c.league(), c.Kind, c.Source, c.Protocol, c.Remarks,
			strconv.FormatBool(c.Unreliable), c.Metric}
		for _, name := range columns {
			x, ok := c.Cells[name]
			line = append(line, map[bool]string{true: trimFloat(x)}[ok])
		}
		printed := ""
		if c.Average != nil {
			printed = trimFloat(*c.Average)
		}
		out.Write(append(line, printed, full(c.Recomputed), strconv.FormatBool(c.AverageDisagrees)))
	}
	out.Flush()
	return out.Error()
}

// writeCSV writes every score of runs, one per line, in full precision. Missing values are empty.
func writeCSV(w io.Writer, v *view) error {
	out := plain.NewCSV(w)
	out.Write([]string{"run", "suite", "model", "protocol", "fingerprint", "dataset", "split", "method", "task",
		"convention", "images", "score", "value", "low", "high", "level", "resamples", "needs", "vocabulary", "experts"})
	eachCell(v.runs, func(head, tail []string, c *results.Cell) {
		for _, s := range c.Scores {
			level, resamples := "", ""
			if s.Low != nil {
				level, resamples = full(&s.Level), strconv.Itoa(s.Resamples)
			}
			out.Write(append(append(head, s.Name, full(&s.Value), full(s.Low), full(s.High), level, resamples), tail...))
		}
	})
	out.Flush()
	return out.Error()
}

// writeClassCSV writes every class of every cell of runs, one per line, in full precision. Missing values are empty.
func writeClassCSV(w io.Writer, v *view) error {
	out := plain.NewCSV(w)
	out.Write([]string{"run", "suite", "model", "protocol", "fingerprint", "dataset", "split", "method", "task",
		"convention", "images", "class", "iou", "acc", "precision", "dice", "pixels", "predicted", "ap", "class_images",
		"needs", "vocabulary", "experts"})
	eachCell(v.runs, func(head, tail []string, c *results.Cell) {
		for _, s := range c.Classes {
			out.Write(append(append(head, s.Class, full(s.IoU), full(s.Acc), full(s.Precision), full(s.Dice),
				strconv.FormatInt(s.Pixels, 10), strconv.FormatInt(s.Predicted, 10), full(s.AP),
				strconv.FormatInt(s.Images, 10)), tail...))
		}
	})
	out.Flush()
	return out.Error()
}

// eachCell calls do with the first fields of a line, which do may append to, and with the last: what the method needs,
// which classes competed, all or those of an oracle, and the SHA-256 of the class experts who decided pixels.
func eachCell(runs []*results.Run, do func(head, tail []string, c *results.Cell)) {
	for i, r := range runs {
		for j := range r.Cells {
			c := &r.Cells[j]
			split, vocabulary, experts := "", "all", ""
			d := r.Dataset(c.Dataset)
			if d != nil {
				split, experts = d.Split, d.Experts.Hash()
			}
			if d.Oracle() {
				vocabulary = "oracle"
			}
			head := []string{strconv.Itoa(i + 1), r.Suite.Name, r.Model.Name, r.Protocol.Name, r.Protocol.Fingerprint,
				c.Dataset, split, c.Method, c.Task, c.Convention, strconv.Itoa(c.Images)}
			do(head[:len(head):len(head)], []string{r.Method(c.Method).League(), vocabulary, experts}, c)
		}
	}
}

// full spells a number so that it reads back exactly.
func full(x *float64) string {
	if x == nil {
		return ""
	}
	return strconv.FormatFloat(*x, 'g', -1, 64)
}
