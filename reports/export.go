package reports

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"

	"ovbench/reports/results"
)

// JSONSchema names the format JSON writes.
const JSONSchema = "ovbench.report/1"

// JSON writes runs as one document: {"schema": "ovbench.report/1", "runs": […]}, each run as in its results.json.
func JSON(w io.Writer, runs []*results.Run) error {
	if err := some(runs); err != nil {
		return err
	}
	for _, r := range runs {
		if err := r.Validate(); err != nil {
			return err
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Schema string         `json:"schema"`
		Runs   []*results.Run `json:"runs"`
	}{JSONSchema, runs})
}

// CSV writes every score of runs, one per line, in full precision. Missing values are empty.
func CSV(w io.Writer, runs []*results.Run) error {
	if err := some(runs); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.Write([]string{"run", "suite", "model", "protocol", "fingerprint", "dataset", "split", "method", "task", "convention", "images", "score", "value", "low", "high", "level", "resamples"})
	eachCell(runs, func(head []string, c *results.Cell) {
		for _, s := range c.Scores {
			level, resamples := "", ""
			if s.Low != nil {
				level, resamples = full(&s.Level), strconv.Itoa(s.Resamples)
			}
			out.Write(append(head, s.Name, full(&s.Value), full(s.Low), full(s.High), level, resamples))
		}
	})
	out.Flush()
	return out.Error()
}

// ClassCSV writes every class of every cell of runs, one per line, in full precision. Missing values are empty.
func ClassCSV(w io.Writer, runs []*results.Run) error {
	if err := some(runs); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.Write([]string{"run", "suite", "model", "protocol", "fingerprint", "dataset", "split", "method", "task", "convention", "images", "class", "iou", "acc", "precision", "dice", "pixels", "predicted"})
	eachCell(runs, func(head []string, c *results.Cell) {
		for _, s := range c.Classes {
			out.Write(append(head, s.Class, full(s.IoU), full(s.Acc), full(s.Precision), full(s.Dice),
				strconv.FormatInt(s.Pixels, 10), strconv.FormatInt(s.Predicted, 10)))
		}
	})
	out.Flush()
	return out.Error()
}

// eachCell calls do with the first fields of a line, which do may append to.
func eachCell(runs []*results.Run, do func(head []string, c *results.Cell)) {
	for i, r := range runs {
		for j := range r.Cells {
			c := &r.Cells[j]
			split := ""
			if d := r.Dataset(c.Dataset); d != nil {
				split = d.Split
			}
			head := []string{strconv.Itoa(i + 1), r.Suite.Name, r.Model.Name, r.Protocol.Name, r.Protocol.Fingerprint,
				c.Dataset, split, c.Method, c.Task, c.Convention, strconv.Itoa(c.Images)}
			do(head[:len(head):len(head)], c)
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
