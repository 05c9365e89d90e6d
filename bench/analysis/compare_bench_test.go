package analysis

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"ovbench/bench/records"
	"ovbench/metrics"
	"ovbench/reports/results"
)

// BenchmarkCompare compares two methods of a run of 12 on 8 data sets of 5000 images, each with 6 of 171 classes:
// 40,000 records. The largest heap seen is reported beside the time; it is that of two methods, not of twelve.
func BenchmarkCompare(b *testing.B) {
	const methods, sets, images, classes = 12, 8, 5000, 171
	dir := b.TempDir()
	r := &results.Run{Complete: true, Fingerprint: "f"}
	names := make([]string, classes)
	for i := range names {
		names[i] = fmt.Sprint("class ", i)
	}
	for m := range methods {
		r.Methods = append(r.Methods, results.Method{Name: fmt.Sprint("m", m)})
	}
	for d := range sets {
		name := fmt.Sprint("set", d)
		r.Datasets = append(r.Datasets, results.Dataset{Name: name, Images: images, Measured: images,
			Samples: fmt.Sprintf("0-%d", images-1), Classes: names})
		for _, m := range r.Methods {
			r.Cells = append(r.Cells, results.Cell{Dataset: name, Method: m.Name, Task: "segmentation", Convention: "mmseg",
				Images: images, Scores: []results.Score{{Name: "mIoU"}}})
		}
	}
	if err := r.Write(dir); err != nil {
		b.Fatal(err)
	}
	recs, err := records.Open(dir, records.Header{Fingerprint: r.Fingerprint}, false)
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, d := range r.Datasets {
		for i := range images {
			rec := records.Record{Dataset: d.Name, Index: i, ID: fmt.Sprintf("%012d", i), Methods: map[string]records.Evidence{}}
			for _, m := range r.Methods {
				var c metrics.Sparse
				first := rng.Int64N(classes)
				for k := range int64(6) {
					truth := (first + 29*k) % classes
					left := int64(100_000)    // pixels of the class, whatever a method takes them for
					for j := range int64(4) { // itself and three others
						n := 1 + rng.Int64N(20_000)
						if j == 3 {
							n = left
						}
						left -= n
						c = append(c, metrics.Cell{Truth: uint16(truth), Pred: uint16((truth + 31*j) % classes), Count: n})
					}
				}
				slices.SortFunc(c, func(a, b metrics.Cell) int {
					return cmp.Or(cmp.Compare(a.Truth, b.Truth), cmp.Compare(a.Pred, b.Pred))
				})
				rec.Methods[m.Name] = records.Evidence{Confusion: c}
			}
			if err := recs.Add(rec); err != nil {
				b.Fatal(err)
			}
			clear(recs.Done) // the heap is to be that of comparing
		}
	}
	if err := recs.Close(); err != nil {
		b.Fatal(err)
	}
	var peak uint64
	done := make(chan struct{})
	go func() {
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-done:
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
			}
		}
	}()
	for b.Loop() {
		if _, err := Compare(CompareRequest{A: dir, B: dir, Methods: []string{"m0", "m1"}, Resamples: 2000, Flips: 10000,
			Moved: 5}); err != nil {
			b.Fatal(err)
		}
	}
	close(done)
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
}
