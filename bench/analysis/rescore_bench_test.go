package analysis

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ovbench/bench/records"
	"ovbench/metrics"
	"ovbench/reports/results"
)

// BenchmarkRescore scores COCO-Stuff's size from its records alone: 14,000 images, each with 8 of 171 classes in
// truth and 22 in predictions, nine methods, 2000 resamples. Beside the time it reports processor seconds and the
// largest resident memory.
func BenchmarkRescore(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "run")
	writeSegmented(b, dir, 14_000, 9, 171)
	for b.Loop() {
		b.StopTimer()
		out := filepath.Join(b.TempDir(), "out")
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // begin VmHWM again
			b.Fatal(err)
		}
		b.StartTimer()
		before := processorTime(b)
		if _, err := Rescore(dir, out, map[string]string{"resamples": "2000"}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric((processorTime(b) - before).Seconds(), "cpu-s/op")
		b.ReportMetric(peakResident(b), "peak-MB")
	}
}

func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakResident is the most memory in MB that the process ever had resident.
func peakResident(tb testing.TB) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		tb.Skip(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kB, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		tb.Fatal(err)
	}
	return float64(kB) / 1000
}

// writeSegmented writes the folder of a run of task segmentation whose images have 8 classes in truth and 22 in
// predictions.
func writeSegmented(tb testing.TB, dir string, images, methods, classes int) {
	suite := "task: segmentation\ndatasets: [{name: voc20, id: d}]\nmethods: [clip]\nprotocol: clip-surgery\n"
	r := &results.Run{Complete: true, Fingerprint: "f", Suite: results.Suite{Name: "s", File: "s.yaml", Text: suite}}
	d := results.Dataset{Name: "d", Images: images, Samples: fmt.Sprintf("0-%d", images-1)}
	for c := range classes {
		d.Classes = append(d.Classes, fmt.Sprint("class ", c))
	}
	r.Datasets = []results.Dataset{d}
	for m := range methods {
		r.Methods = append(r.Methods, results.Method{Name: fmt.Sprint("m", m)})
	}
	if err := r.Write(dir); err != nil {
		tb.Fatal(err)
	}
	recs, err := records.Open(dir, records.Header{Fingerprint: r.Fingerprint}, false)
	if err != nil {
		tb.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range images {
		rec := records.Record{Dataset: d.Name, Index: i, ID: fmt.Sprintf("%012d", i), Methods: map[string]records.Evidence{}}
		classes := rng.Perm(classes)[:22]
		for _, m := range r.Methods {
			rec.Methods[m.Name] = segmented(rng, classes)
		}
		if err := recs.Add(rec); err != nil {
			tb.Fatal(err)
		}
	}
	if err := recs.Close(); err != nil {
		tb.Fatal(err)
	}
}

// segmented is the evidence of an image of 300,000 pixels, of which the first eight classes are there in equal parts.
func segmented(rng *rand.Rand, classes []int) records.Evidence {
	truth := slices.Sorted(slices.Values(classes[:8]))
	pred := slices.Sorted(slices.Values(classes))
	var e records.Evidence
	areas := map[int]*metrics.ClassArea{}
	for _, c := range pred {
		areas[c] = &metrics.ClassArea{Class: uint16(c)}
	}
	for _, t := range truth {
		left := int64(300_000 / 8)
		for k, p := range pred {
			n := 1 + rng.Int64N(4000)
			if k == len(pred)-1 {
				n = left
			} else if (rng.IntN(3) > 0 && p != t) || n >= left {
				continue
			}
			left -= n
			e.Confusion = append(e.Confusion, metrics.Cell{Truth: uint16(t), Pred: uint16(p), Count: n})
			areas[t].Truth += n / 10
			areas[p].Pred += n / 10
			if t == p {
				areas[t].Intersection += n / 10
			}
		}
	}
	for _, c := range pred {
		e.Boundary = append(e.Boundary, *areas[c])
	}
	return e
}
