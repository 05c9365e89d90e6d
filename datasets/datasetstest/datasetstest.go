// Package datasetstest answers: does an implementation keep the promises of datasets.Dataset?
package datasetstest

import (
	"image"
	"reflect"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets"
	"ovbench/datasets/labelmap"
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
	t.Run("shared", func(t *testing.T) { shared(t, ds) })
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
	if len(in.Classes) == 0 || len(in.Classes) >= labelmap.Ignore {
		t.Errorf("%d classes", len(in.Classes))
	}
	in.Classes[0] = "changed by a caller"
	if ds.Info().Classes[0] == in.Classes[0] {
		t.Error("Info().Classes is shared with its callers")
	}
	for _, e := range datasets.All {
		if e.Name == in.Name && e.Classes != 0 && e.Classes != len(in.Classes) {
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
	if s.Image == nil || s.Image.Rect.Min != (image.Point{}) || s.Image.Rect.Empty() ||
		s.Image.Stride != 4*s.Image.Rect.Dx() || !s.Image.Opaque() {
		t.Errorf("%s: the image is empty, not opaque, does not begin at 0,0 or has gaps between rows", s.ID)
		return
	}
	if s.Labels.Pix == nil && s.Tags == nil && s.Objects == nil && s.Points == nil {
		t.Errorf("%s: nothing is known of the picture", s.ID)
	}
	size, classes := s.Image.Rect.Max, len(ds.Info().Classes)
	labels(t, s, size, classes)
	tags(t, s, classes)
	objects(t, s, size, classes)
	for k, p := range s.Points {
		if p.Class < 0 || p.Class >= classes || !(p.X >= 0 && p.X <= 1 && p.Y >= 0 && p.Y <= 1) {
			t.Errorf("%s: point %d of class %d, with %d classes, at %g, %g", s.ID, k, p.Class, classes, p.X, p.Y)
		}
	}
}

// labels are as large as the picture, or there are none at all.
func labels(t *testing.T, s datasets.Sample, size image.Point, classes int) {
	t.Helper()
	l := s.Labels
	if l.Pix == nil {
		if l.W != 0 || l.H != 0 || s.LabelPath != "" {
			t.Errorf("%s: no labels, but a label map of %dx%d at %q", s.ID, l.W, l.H, s.LabelPath)
		}
		return
	}
	if l.W != size.X || l.H != size.Y || len(l.Pix) != l.W*l.H {
		t.Errorf("%s: %d labels of %dx%d for an image of %v", s.ID, len(l.Pix), l.W, l.H, size)
	}
	for p, v := range l.Pix {
		if v != labelmap.Ignore && int(v) >= classes {
			t.Errorf("%s: label %d at pixel %d, with %d classes", s.ID, v, p, classes)
			return
		}
	}
}

// tags are one for each class, or none at all.
func tags(t *testing.T, s datasets.Sample, classes int) {
	t.Helper()
	if s.Tags != nil && len(s.Tags) != classes {
		t.Errorf("%s: %d tags for %d classes", s.ID, len(s.Tags), classes)
	}
	for c, tag := range s.Tags {
		if tag != datasets.Absent && tag != datasets.Present && tag != datasets.Difficult {
			t.Errorf("%s: tag %d of class %d", s.ID, tag, c)
		}
	}
}

// objects lie inside the picture, are of a class of the data set and not empty. A mask is as large as the picture.
func objects(t *testing.T, s datasets.Sample, size image.Point, classes int) {
	t.Helper()
	for k, o := range s.Objects {
		if o.Class < 0 || o.Class >= classes {
			t.Errorf("%s: object %d of class %d, with %d classes", s.ID, k, o.Class, classes)
		}
		if !(0 <= o.X0 && o.X0 < o.X1 && o.X1 <= float64(size.X) && 0 <= o.Y0 && o.Y0 < o.Y1 &&
			o.Y1 <= float64(size.Y)) {
			t.Errorf("%s: object %d has the box %g,%g,%g,%g in an image of %v", s.ID, k, o.X0, o.Y0, o.X1, o.Y1, size)
		}
		if o.Mask.Counts != nil && (o.Mask.W != size.X || o.Mask.H != size.Y) {
			t.Errorf("%s: object %d has a mask of %dx%d in an image of %v", s.ID, k, o.Mask.W, o.Mask.H, size)
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
		a, b := got[k][0], got[k][1]
		if !reflect.DeepEqual(a, b) { // cmp alone is too slow for pictures
			t.Errorf("At(%d) gave different samples (-first +second):\n%s", i, cmp.Diff(a, b))
			continue
		}
		if overlap(a.Image.Pix, b.Image.Pix) || overlap(a.Labels.Pix, b.Labels.Pix) || overlap(a.Tags, b.Tags) ||
			overlap(a.Objects, b.Objects) {
			t.Errorf("At(%d) gave two callers the same memory", i)
		}
	}
}

// overlap says whether two slices begin at the same element.
func overlap[T any](a, b []T) bool {
	return len(a) > 0 && len(b) > 0 && &a[0] == &b[0]
}

// shared holds AtWith to At.
func shared(t *testing.T, ds datasets.Dataset) {
	with, ok := ds.(datasets.Sharing)
	if !ok || ds.Len() == 0 {
		return
	}
	want, err := ds.At(0)
	if err != nil {
		t.Fatal(err)
	}
	picture := image.NewNRGBA(want.Image.Rect)
	for name, p := range map[string]*image.NRGBA{"a picture": picture, "none": nil} {
		got, err := with.AtWith(0, p)
		if err != nil {
			t.Fatal(err)
		}
		if p != nil && got.Image != p {
			t.Error("AtWith reads a picture anew")
		}
		if p == nil && !reflect.DeepEqual(got.Image, want.Image) || !reflect.DeepEqual(got.Labels, want.Labels) ||
			got.ID != want.ID || got.ImagePath != want.ImagePath {
			t.Errorf("AtWith %s gives another sample than At", name)
		}
	}
	if _, err := with.AtWith(0, image.NewNRGBA(image.Rect(0, 0, want.Labels.W+1, want.Labels.H))); err == nil &&
		want.Labels.Pix != nil {
		t.Error("AtWith takes a picture of another size than the labels")
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
