package analysis

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"

	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/metrics"
	"ovbench/reports/plain"
	"ovbench/reports/results"
)

// Row is one number of one image: a line of the flat form of records. Class is empty for numbers of whole images.
type Row struct {
	Dataset    string  `json:"dataset"`
	Index      int     `json:"index"`
	ID         string  `json:"id"`
	Method     string  `json:"method"`
	Convention string  `json:"convention,omitempty"`
	Class      string  `json:"class,omitempty"`
	Score      string  `json:"score"`
	Value      float64 `json:"value"`
}

// rowColumns are the columns of a Row, in order.
var rowColumns = []string{"dataset", "index", "id", "method", "convention", "class", "score", "value"}

func (r Row) fields() []string {
	return []string{
		r.Dataset,
		strconv.Itoa(r.Index),
		r.ID,
		r.Method,
		r.Convention,
		r.Class,
		r.Score,
		strconv.FormatFloat(r.Value, 'g', -1, 64),
	}
}

// RowFormats are the forms of WriteRows.
var RowFormats = []string{"csv", "jsonl"}

// WriteRows writes records in flat form: the scores of every image alone, and by class the numbers that pooled scores
// are made of. What is undefined has no row. Samples that failed have none.
func WriteRows(w io.Writer, format string, run *results.Run, recs []records.Record) error {
	switch format {
	case "csv":
		out := plain.NewCSV(w)
		if err := out.Write(rowColumns); err != nil {
			return err
		}
		if err := rows(run, recs, func(r Row) error { return out.Write(r.fields()) }); err != nil {
			return err
		}
		out.Flush()
		return out.Error()
	case "jsonl":
		out := json.NewEncoder(w)
		out.SetEscapeHTML(false)
		return rows(run, recs, func(r Row) error { return out.Encode(r) })
	}
	return fmt.Errorf("format %q is not known; known are csv, jsonl", format)
}

// rows hands out every row, data set by data set, method by method, image by image.
func rows(run *results.Run, recs []records.Record, put func(Row) error) error {
	for _, d := range run.Datasets {
		for _, m := range run.Methods {
			s := Side{Run: run, Records: recs, Dataset: d.Name, Method: m.Name}
			of := s.records()
			if len(of) == 0 {
				continue
			}
			stats, err := s.statistics(of)
			if err != nil {
				return err
			}
			if err := imageRows(s, of, stats, put); err != nil {
				return fmt.Errorf("%s, %s: %w", d.Name, m.Name, err)
			}
			for _, r := range of {
				if err := classRowsOf(s, d, r, put); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// imageRows are the scores of single images. Scores that share their single values are named once.
func imageRows(s Side, of []records.Record, stats []tasks.Statistic, put func(Row) error) error {
	for _, stat := range stats {
		if stat.Each == nil || stat.SharesEach {
			continue
		}
		values, err := stat.Each()
		if err != nil {
			return err
		}
		for i, v := range values {
			if math.IsNaN(v) {
				continue
			}
			r := Row{
				Dataset:    s.Dataset,
				Index:      of[i].Index,
				ID:         of[i].ID,
				Method:     s.Method,
				Convention: stat.Convention,
				Score:      stat.Score,
				Value:      v,
			}
			if err := put(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// classRowsOf are what one record says of single classes.
func classRowsOf(s Side, d results.Dataset, rec records.Record, put func(Row) error) error {
	var fault error
	add := func(class int, score string, value float64) {
		if fault != nil {
			return
		}
		if class < 0 || class >= len(d.Classes) {
			fault = fmt.Errorf("the record of %s has class %d of %d", rec.ID, class, len(d.Classes))
			return
		}
		fault = put(Row{Dataset: s.Dataset, Index: rec.Index, ID: rec.ID, Method: s.Method, Class: d.Classes[class],
			Score: score, Value: value})
	}
	e := rec.Methods[s.Method]
	areas, err := e.Confusion.Areas(len(d.Classes))
	if err != nil {
		return fmt.Errorf("the record of %s: %w", rec.ID, err)
	}
	for _, a := range areas {
		add(int(a.Class), "intersection", float64(a.Intersection))
		add(int(a.Class), "truth", float64(a.Truth))
		add(int(a.Class), "predicted", float64(a.Pred))
	}
	for _, a := range e.Boundary {
		add(int(a.Class), "boundary_intersection", float64(a.Intersection))
		add(int(a.Class), "boundary_truth", float64(a.Truth))
		add(int(a.Class), "boundary_predicted", float64(a.Pred))
	}
	for _, x := range e.Explain {
		add(x.Class, "fg-IoU@0.5", x.IoU(metrics.Thresholds/2))
		add(x.Class, "fg-IoU@otsu", x.IoU(x.Otsu))
		add(x.Class, "mean_inside", x.MeanInside)
		add(x.Class, "mean_outside", x.MeanOutside)
		add(x.Class, "peaks", float64(x.Peaks))
	}
	for _, g := range tasks.Games(e) {
		for _, x := range g.Events {
			add(x.Class, "hit"+g.Suffix, float64(x.Outcome)) // 1, -1, 0 skipped
		}
	}
	for _, x := range e.Prompts {
		for _, s := range x.Scores() {
			add(x.Class, s.Name, s.Value)
		}
	}
	for class, tag := range rec.Tags {
		add(class, "tag", float64(tag))
	}
	if len(e.Cosines) > 0 {
		best, err := tasks.BestQueries(tasks.Widen(e.Cosines), d.Queries)
		if err != nil {
			return fmt.Errorf("the record of %s: %w", rec.ID, err)
		}
		for class, v := range best {
			add(class, "cosine", v)
		}
	}
	if e.Faithfulness != nil {
		add(e.Faithfulness.Class, "explained", 1)
	}
	return fault
}
