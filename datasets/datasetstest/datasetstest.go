// Package datasetstest answers: does an implementation keep the promises of datasets.Dataset?
package datasetstest

import (
	"image"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets"
)

// maxSamples bounds how many samples Run reads, spread over the whole list, so that it can
// also be run over a real data set.
const maxSamples = 64

// Run checks every law that all data sets obey.
func Run(t *testing.T, ds datasets.Dataset) {
	t.Helper()
	t.Run("info", func(t *testing.T) { info(t, ds) })
	t.Run("ids", func(t *testing.T) { ids(t, ds) })
	t.Run("samples", func(t *testing.T) { samples(t, ds) })
	t.Run("concurrent", func(t *testing.T) { concurrent(t, ds) })
	t.Run("outside", func(t *testing.T) { outside(t, ds) })
}

func info(t *testing.T, ds datasets.Dataset) {
	in := ds.Info()
	if in.Name == "" || in.Title == "" || in.Split == "" || in.Homepage == "" || in.Layout == "" {
		t.Errorf("Info() leaves out what a report and an error need: %+v", in)
	}
	if len(in.ListSHA256) != 64 {
		t.Errorf("Info().ListSHA256 = %q, want 64 hex digits", in.ListSHA256)
	}
	seen := make(map[string]bool)
	for i, c := range in.Classes {
		if c == "" || seen[c] {
			t.Errorf("class %d is called %q: empty or not unique", i, c)
		}
		seen[c] = true
	}
	if len(in.Classes) == 0 || len(in.Classes) >= datasets.Ignore {
		t.Errorf("%d classes", len(in.Classes))
	}
	in.Classes[0] = "changed by a caller"
	if ds.Info().Classes[0] == in.Classes[0] {
		t.Error("Info().Classes is shared with its callers")
	}
	for _, e := range datasets.All {
		if e.Name == in.Name && e.Classes != len(in.Classes) {
			t.Errorf("All says %d classes, Info() %d", e.Classes, len(in.Classes))
		}
	}
}

func ids(t *testing.T, ds datasets.Dataset) {
	if ds.Len() == 0 {
		t.Fatal("Len() = 0")
	}
	seen := make(map[string]int)
	for i := range ds.Len() {
		id := ds.ID(i)
		if first, ok := seen[id]; ok || id == "" {
			t.Errorf("ID(%d) = %q, empty or the same as ID(%d)", i, id, first)
		}
		seen[id] = i
	}
	for i := range ds.Len() {
		if seen[ds.ID(i)] != i {
			t.Errorf("ID(%d) changed between calls", i)
		}
	}
}

func samples(t *testing.T, ds datasets.Dataset) {
	for _, i := range some(ds.Len()) {
		s, err := ds.At(i)
		if err != nil {
			t.Errorf("At(%d): %v", i, err)
			continue
		}
		check(t, ds, i, s)
	}
}

func check(t *testing.T, ds datasets.Dataset, i int, s datasets.Sample) {
	t.Helper()
	if s.ID != ds.ID(i) {
		t.Errorf("At(%d).ID = %q, ID(%d) = %q", i, s.ID, i, ds.ID(i))
	}
	if l, ok := ds.(datasets.Located); ok {
		if img, label := l.Files(i); img != s.ImagePath || label != s.LabelPath {
			t.Errorf("Files(%d) = %q, %q, At(%d) has %q, %q", i, img, label, i, s.ImagePath, s.LabelPath)
		}
	}
	if s.Image == nil || s.Image.Rect != image.Rect(0, 0, s.Labels.W, s.Labels.H) || s.Image.Stride != 4*s.Labels.W {
		t.Errorf("%s: image %v and labels %dx%d differ, or rows have gaps", s.ID, s.Image.Rect, s.Labels.W, s.Labels.H)
		return
	}
	if len(s.Labels.Pix) != s.Labels.W*s.Labels.H || len(s.Labels.Pix) == 0 {
		t.Errorf("%s: %d labels for %dx%d pixels", s.ID, len(s.Labels.Pix), s.Labels.W, s.Labels.H)
	}
	if !s.Image.Opaque() {
		t.Errorf("%s: image is not opaque", s.ID)
	}
	for p, v := range s.Labels.Pix {
		if v != datasets.Ignore && int(v) >= len(ds.Info().Classes) {
			t.Errorf("%s: label %d at pixel %d, with %d classes", s.ID, v, p, len(ds.Info().Classes))
			return
		}
	}
}

// concurrent reads all samples twice at once and in different orders.
func concurrent(t *testing.T, ds datasets.Dataset) {
	index := some(ds.Len())
	got := make([][2]datasets.Sample, len(index))
	errs := make([][2]error, len(index))
	var readers sync.WaitGroup
	for k := range index {
		back := len(index) - 1 - k
		readers.Go(func() { got[k][0], errs[k][0] = ds.At(index[k]) })
		readers.Go(func() { got[back][1], errs[back][1] = ds.At(index[back]) })
	}
	readers.Wait()
	for k, i := range index {
		if errs[k][0] != nil || errs[k][1] != nil {
			t.Errorf("At(%d): %v, %v", i, errs[k][0], errs[k][1])
			continue
		}
		if diff := cmp.Diff(got[k][0], got[k][1]); diff != "" {
			t.Errorf("At(%d) gave different samples (-first +second):\n%s", i, diff)
			continue
		}
		if &got[k][0].Image.Pix[0] == &got[k][1].Image.Pix[0] || &got[k][0].Labels.Pix[0] == &got[k][1].Labels.Pix[0] {
			t.Errorf("At(%d) gave two callers the same memory", i)
		}
	}
}

func outside(t *testing.T, ds datasets.Dataset) {
	for _, i := range []int{-1, ds.Len(), ds.Len() + 1000} {
		if _, err := ds.At(i); err == nil {
			t.Errorf("At(%d) of %d samples has no error", i, ds.Len())
		}
	}
}

// some spreads at most maxSamples indices evenly over 0..n-1.
func some(n int) []int {
	k := min(n, maxSamples)
	index := make([]int, k)
	for i := range index {
		index[i] = i * n / k
	}
	return index
}
