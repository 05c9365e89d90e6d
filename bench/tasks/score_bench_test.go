package tasks

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"ovbench/bench/records"
	"ovbench/configs"
	"ovbench/metrics"
	"ovbench/reports/results"
)

// BenchmarkScore scores a segmentation of 4000 images by nine methods, each image with 6 of 171 classes, with 2000
// resamples.
func BenchmarkScore(b *testing.B) {
	const images, classes = 4000, 171
	run := &results.Run{Suite: results.Suite{Name: "s"}}
	d := results.Dataset{Name: "d", Images: images, Measured: images, Samples: fmt.Sprintf("0-%d", images-1)}
	for c := range classes {
		d.Classes = append(d.Classes, fmt.Sprint("c", c))
	}
	run.Datasets = []results.Dataset{d}
	for m := range 9 {
		run.Methods = append(run.Methods, results.Method{Name: fmt.Sprint("m", m)})
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var recs []records.Record
	for i := range images {
		rec := records.Record{Dataset: "d", Index: i, ID: fmt.Sprint(i), Methods: map[string]records.Evidence{}}
		for _, m := range run.Methods {
			var cells metrics.Sparse
			for j := range 6 {
				truth := (i*7 + j*29) % classes
				cells = append(cells, metrics.Cell{Truth: uint16(truth), Pred: uint16(truth), Count: 1 + rng.Int64N(20000)},
					metrics.Cell{Truth: uint16(truth), Pred: uint16((truth + 31) % classes), Count: 1 + rng.Int64N(20000)})
			}
			slices.SortFunc(cells, func(a, b metrics.Cell) int {
				return cmp.Or(cmp.Compare(a.Truth, b.Truth), cmp.Compare(a.Pred, b.Pred))
			})
			rec.Methods[m.Name] = records.Evidence{Confusion: cells}
		}
		recs = append(recs, rec)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Score(run, &configs.Suite{Task: "segmentation", Resamples: 2000}, recs); err != nil {
			b.Fatal(err)
		}
	}
}
