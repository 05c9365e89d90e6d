package datasets

import (
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets/labelmap"
)

// newLabelled is a data set of n pictures of 4x4 pixels; the label file of picture i has the 16 stored values of
// stored(i).
func newLabelled(t *testing.T, suffix string, n int, info Info, table *labelmap.Table,
	stored func(i, p int) uint8) *onDisk {
	t.Helper()
	dir, ids := t.TempDir(), make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%03d", i)
	}
	d := newOnDisk(Options{}, info, ids)
	d.files = func(i int) (string, string) {
		return filepath.Join(dir, ids[i]+".png"), filepath.Join(dir, ids[i]+suffix)
	}
	d.truth = labelTruth(labelmap.Read, table.Apply)
	for i := range n {
		img, label := d.Files(i)
		picture, grey := image.NewGray(image.Rect(0, 0, 4, 4)), image.NewGray(image.Rect(0, 0, 4, 4))
		for p := range grey.Pix {
			picture.Pix[p], grey.Pix[p] = uint8(10*p+i), stored(i, p)
		}
		write(t, img, encodePNG(t, picture))
		write(t, label, encodePNG(t, grey))
	}
	return d
}

// named is Info with n classes.
func named(n int, background bool) Info {
	info := Info{Name: "x", Split: "val", Background: background}
	for c := range n {
		info.Classes = append(info.Classes, fmt.Sprintf("c%d", c))
	}
	return info
}

// asStored maps 0..33 to themselves, as a reader of labelIds that ignores nothing.
func asStored() *labelmap.Table { return labelmap.NewTable(34, 255, false) }

// Each classic mistake is told by its name, and a sound twin of the same data set by none.
func TestInspectNamesMistakes(t *testing.T) {
	spread := func(values ...uint8) func(i, p int) uint8 {
		return func(i, p int) uint8 { return values[(i+p)%len(values)] }
	}
	through := func(first, last uint8) func(i, p int) uint8 {
		return func(i, p int) uint8 { return first + uint8((16*i+p)%int(last-first+1)) }
	}
	whole := func(info Info) Info { info.Official = 10; return info }
	folder := func(info Info) Info { info.Name = "folder"; return info }
	for _, test := range []struct {
		name   string
		suffix string
		info   Info
		table  *labelmap.Table
		stored func(i, p int) uint8
		want   FaultKind // "" for a sound data set
		count  int
		text   string
	}{
		{"labelIds", "_gtFine_labelIds.png", named(34, false), asStored(), through(0, 33), "", 0, ""},
		{"trainIds scored as labelIds", "_gtFine_labelIds.png", named(34, false), asStored(), spread(0, 1, 2, 8, 10, 13, 255),
			TrainIDs, 10,
			"no pixel of 10 label maps looked at is vegetation, sky, person or car"},
		{"trainIds where they belong", "_gtFine_labelTrainIds.png", named(19, false), labelmap.NewTable(19, 255, false),
			spread(0, 1, 2, 18, 255), "", 0, ""},
		{"labelIds read as trainIds", "_gtFine_labelTrainIds.png", named(19, false), labelmap.NewTable(19, 255, false),
			through(0, 33), OtherLabels, 9, // the first picture has 0..15
			"values 19..33 out of range fit Cityscapes labelIds, PASCAL Context with 59 classes, COCO-Object with background"},
		{"ADE20K", ".png", whole(named(150, false)), labelmap.NewTable(150, 255, true), through(0, 150), "", 0, ""},
		{"reduce_zero_label forgotten", ".png", named(150, false), labelmap.NewTable(150, 255, false), spread(0, 1, 149, 150),
			FromOne, 10,
			"150, one more than the last class, is the only value out of range: the files count classes from 1 and need " +
				"reduce_zero_label"},
		{"reduce_zero_label on labels that are reduced", ".png", whole(named(19, false)), labelmap.NewTable(19, 255, true),
			spread(0, 0, 1, 18, 255), ReduceZero, 10,
			`stored 0, 40 % of the pixels, is ignored, and 19, the last class "c18", never occurs: the files may count classes from 0 already`},
		{"reduced, without 0 and the last class", ".png", whole(named(19, false)), labelmap.NewTable(19, 255, true),
			spread(1, 2, 255), "", 0, ""},
		{"not reduced, without the last class", ".png", whole(named(19, false)), labelmap.NewTable(19, 255, false),
			spread(0, 1, 255), "", 0, ""},
		{"a part without the last class", ".png", named(19, false), labelmap.NewTable(19, 255, true),
			spread(0, 0, 1, 18, 255), "", 0, ""},
		{"all background", ".png", named(21, true), labelmap.NewTable(21, 255, false), spread(0), OnlyBackground, 10,
			"no pixel of 10 label maps is of a class"},
		{"all ignored", ".png", named(20, false), labelmap.NewTable(20, 255, true), spread(0, 255, 0), OnlyBackground, 10,
			"hold 0 and 255 alone, and 255 is read as ignore"},
		{"masks of one class", ".png", named(21, true), labelmap.NewTable(21, 255, false), spread(0, 255), OnlyBackground, 10,
			"where masks are stored so, store class 1 as 1"},
		{"a little foreground", ".png", named(21, true), labelmap.NewTable(21, 255, false),
			func(i, p int) uint8 { return uint8(i * p / 9 / 15) }, "", 0, ""},
		{"COCO-Stuff in VOC's place", ".png", named(21, true), labelmap.NewTable(21, 255, false), through(100, 181),
			OtherLabels, 10, "values 100..181 out of range fit COCO-Stuff stuffthingmaps"},
		{"damage in a few", ".png", named(21, true), labelmap.NewTable(21, 255, false),
			func(i, p int) uint8 { return uint8(i / 8 * 60) }, LabelValue, 2, "60 at x 0, y 0"},
		{"stretched", ".png", named(21, true), labelmap.NewTable(21, 255, false), spread(0, 36, 72, 108, 144), OtherLabels, 10,
			"all values out of range are multiples of 36"},
		{"the first class in no picture", ".png", folder(named(5, false)), labelmap.NewTable(5, 255, false), spread(1, 2, 255),
			FromOne, 10, "or number classes from 0; or do nothing"},
		{"one class and void", ".png", named(3, false), labelmap.NewTable(3, 255, false), spread(0, 255), OnlyBackground, 10,
			"these may be masks of one class or empty; or do nothing"},
		{"one class of two and void", ".png", named(2, false), labelmap.NewTable(2, 255, false), spread(0, 255),
			OnlyBackground, 10, "where masks are stored so, store class 1 as 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newLabelled(t, test.suffix, 10, test.info, test.table, test.stored)
			faults := Inspect(t.Context(), d, InspectOptions{}).Faults
			i := slices.IndexFunc(faults, func(f Fault) bool { return f.Kind == test.want })
			if test.want == "" {
				if len(faults) > 0 {
					t.Errorf("faults of a sound data set: %v", faults)
				}
				return
			}
			if i < 0 {
				t.Fatalf("got %v, want %q", faults, test.want)
			}
			if f := faults[i]; f.Count != test.count || !strings.Contains(f.Error(), test.text) ||
				f.Warning() != strings.Contains(test.text, "do nothing") {
				t.Errorf("%v, want %d and %q", f, test.count, test.text)
			}
			if extra := slices.DeleteFunc(slices.Clone(faults),
				func(f Fault) bool { return f.Kind == test.want || f.Kind == LabelValue }); len(extra) > 0 &&
				test.name != "damage in a few" {
				t.Errorf("also %v", extra)
			}
		})
	}
}

func TestInspectColourLabels(t *testing.T) {
	d := newLabelled(t, "_l.png", 3, named(21, true), labelmap.NewTable(21, 255, false),
		func(i, p int) uint8 { return uint8(p) })
	_, label := d.Files(1)
	colours := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	colours.SetNRGBA(1, 1, color.NRGBA{128, 0, 0, 255})
	write(t, label, encodePNG(t, colours))
	faults := Inspect(t.Context(), d, InspectOptions{}).Faults
	if len(faults) != 1 || faults[0].Kind != ColourLabels || faults[0].Count != 1 ||
		!strings.Contains(faults[0].Error(), label) {
		t.Errorf("%v", faults)
	}
}

// Three pictures of 16 pixels: the first all 1, the second half 0 and half 255, the third with five pixels of 21 and
// one of 99.
func TestInspectCounts(t *testing.T) {
	d := newLabelled(t, "_l.png", 3, named(21, true), labelmap.NewTable(21, 255, false), func(i, p int) uint8 {
		switch {
		case i == 0:
			return 1
		case i == 1 && p < 8:
			return 255
		case i == 2 && p < 5:
			return 21
		case i == 2 && p == 5:
			return 99
		}
		return 0
	})
	got := Inspect(t.Context(), d, InspectOptions{})
	got.Faults = nil
	want := Inspection{Samples: 2, Images: make([]int, 21), Pixels: make([]int64, 21), Ignored: 8,
		Strays: []Stray{{Value: 21, Pixels: 5, Samples: 1}, {Value: 99, Pixels: 1, Samples: 1}}}
	want.Images[0], want.Images[1], want.Pixels[0], want.Pixels[1] = 1, 1, 8, 16
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Data sets without label maps are looked at too. The counts are those of the tags in TestVOC2007 and of the drawings
// of NUS-WIDE; a class that is only difficult is there as an object.
func TestInspectTags(t *testing.T) {
	ds, err := Open("voc2007", Options{Root: "testdata/voc"})
	if err != nil {
		t.Fatal(err)
	}
	got := Inspect(t.Context(), ds, InspectOptions{})
	if len(got.Faults) != 1 || got.Faults[0].Kind != WrongCount || !got.Faults[0].Warning() || got.Samples != 4 {
		t.Errorf("%d samples, %v", got.Samples, got.Faults)
	}
	images := make(map[string]int)
	for c, n := range got.Images {
		if n > 0 {
			images[ds.Info().Classes[c]] = n
		}
	}
	if diff := cmp.Diff(map[string]int{"car": 1, "person": 2, "dog": 1, "sheep": 1, "bird": 1, "boat": 1, "horse": 1},
		images); diff != "" {
		t.Errorf("pictures of VOC by class (-want +got):\n%s", diff)
	}
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(nuswideMini)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, "NUS-WIDE", "Flickr", "aircraft", "0007_1072650311.jpg")); err != nil {
		t.Fatal(err)
	}
	if ds, err = Open("nuswide", Options{Root: root}); err != nil {
		t.Fatal(err)
	}
	got = Inspect(t.Context(), ds, InspectOptions{})
	if len(got.Faults) != 2 || got.Faults[1].Kind != LeftOut || got.Faults[1].Count != 1 || !got.Faults[1].Warning() ||
		!strings.Contains(got.Faults[1].Error(), filepath.Join("aircraft", "0007_1072650311.jpg")) {
		t.Errorf("%v", got.Faults)
	}
	if animal := slices.Index(nuswideConcepts, "animal"); got.Images[animal] != 3 {
		t.Errorf("%d pictures of animals, want 3", got.Images[animal])
	}
}

func TestInspectDuplicates(t *testing.T) {
	d := newLabelled(t, "_l.png", 4, named(21, true), labelmap.NewTable(21, 255, false),
		func(i, p int) uint8 { return uint8(p) })
	first, _ := d.Files(1)
	data, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{2, 3} {
		img, _ := d.Files(i)
		write(t, img, data)
	}
	if faults := Inspect(t.Context(), d, InspectOptions{}).Faults; len(faults) != 0 {
		t.Errorf("not asked for: %v", faults)
	}
	faults := Inspect(t.Context(), d, InspectOptions{Duplicates: true}).Faults
	if len(faults) != 1 || faults[0].Kind != DuplicateImage || faults[0].Count != 2 ||
		!strings.Contains(faults[0].Error(), "002 is 001; 003 is 001") {
		t.Errorf("%v", faults)
	}
}

// tagSet is a data set of one picture with any tags and objects.
type tagSet struct{ s Sample }

func (d tagSet) Info() Info             { return named(2, false) }
func (d tagSet) Len() int               { return 1 }
func (d tagSet) ID(int) string          { return d.s.ID }
func (d tagSet) At(int) (Sample, error) { return d.s, nil }

func TestInspectAnnotations(t *testing.T) {
	for _, test := range []struct {
		s    Sample
		want string
	}{
		{Sample{Tags: []Tag{Present, Absent}}, ""},
		{Sample{Objects: []Object{{X1: 4, Y1: 3}}}, ""},
		{Sample{Tags: []Tag{Present}}, "1 tags for 2 classes"},
		{Sample{Objects: []Object{{Class: 2, X1: 1, Y1: 1}}}, "object 1 is of class 2, with 2 classes"},
		{Sample{Objects: []Object{{Class: -1, X1: 1, Y1: 1}}}, "object 1 is of class -1"},
		{Sample{Objects: []Object{{X1: 4, Y1: 3}, {X1: 4, Y1: 3.5}}}, "object 2 has the box 0,0,4,3.5 in a picture of 4x3"},
		{Sample{Objects: []Object{{X1: 4.5, Y1: 3}}}, "object 1 has the box 0,0,4.5,3"},
		{Sample{Objects: []Object{{X0: 2, X1: 1, Y1: 1}}}, "object 1 has the box 2,0,1,1"},
	} {
		test.s.ID, test.s.Image = "x", image.NewNRGBA(image.Rect(0, 0, 4, 3))
		faults := Inspect(t.Context(), tagSet{test.s}, InspectOptions{}).Faults
		if test.want == "" && len(faults) == 0 {
			continue
		}
		if len(faults) != 1 || faults[0].Kind != Annotation || !strings.Contains(faults[0].Error(), test.want) ||
			test.want == "" {
			t.Errorf("got %v, want %q", faults, test.want)
		}
	}
}

// counted notes how many of its samples are read at the same time.
type counted struct {
	*onDisk
	now, most atomic.Int64
}

func (c *counted) At(int) (Sample, error) {
	for now := c.now.Add(1); ; {
		most := c.most.Load()
		if now <= most || c.most.CompareAndSwap(most, now) {
			break
		}
	}
	time.Sleep(20 * time.Millisecond)
	c.now.Add(-1)
	return Sample{Image: image.NewNRGBA(image.Rect(0, 0, 1, 1))}, nil
}

// Large pictures are read a few at a time, whatever the number of processors; small ones all at once.
func TestInspectBoundsMemory(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(16))
	ids := make([]string, 16)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	for side, most := range map[int]int64{4096: 8, 64: 16} {
		path := filepath.Join(t.TempDir(), "a.png")
		write(t, path, encodePNG(t, image.NewGray(image.Rect(0, 0, side, side))))
		c := &counted{onDisk: newOnDisk(Options{}, named(2, false), ids)}
		c.files = func(int) (string, string) { return path, "" }
		Inspect(t.Context(), c, InspectOptions{})
		if got := c.most.Load(); got > most || got < most/2 {
			t.Errorf("%d pictures of %d pixels a side at the same time, want %d", got, side, most)
		}
	}
}
