package engine

import (
	"bufio"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/metrics"
)

func writePNG(t *testing.T, path string, img image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	if err := png.Encode(w, img); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

// streets makes a tree of Cityscapes with blocks of all labels, things among them, and returns its folder.
func streets(t *testing.T, images int) string {
	t.Helper()
	root := t.TempDir()
	rng := rand.New(rand.NewPCG(7, 7))
	const w, h, block = 64, 32, 8
	for i := range images {
		id := fmt.Sprintf("x_000000_%06d", i)
		picture, labels, instances := image.NewRGBA(image.Rect(0, 0, w, h)), image.NewGray(image.Rect(0, 0, w, h)), image.NewGray16(image.Rect(0, 0, w, h))
		for y := 0; y < h; y += block {
			for x := 0; x < w; x += block {
				label, number := rng.IntN(34), rng.IntN(4)
				thing := label
				if metrics.CityscapesLabels[label].InstanceSize > 0 && number > 0 {
					thing = 1000*label + number
				}
				for dy := range block {
					for dx := range block {
						picture.Set(x+dx, y+dy, color.RGBA{uint8(rng.IntN(256)), uint8(7 * label), uint8(rng.IntN(50)), 255})
						labels.SetGray(x+dx, y+dy, color.Gray{uint8(label)})
						instances.SetGray16(x+dx, y+dy, color.Gray16{uint16(thing)})
					}
				}
			}
		}
		writePNG(t, filepath.Join(root, "leftImg8bit", "val", "x", id+"_leftImg8bit.png"), picture)
		writePNG(t, filepath.Join(root, "gtFine", "val", "x", id+"_gtFine_labelIds.png"), labels)
		writePNG(t, filepath.Join(root, "gtFine", "val", "x", id+"_gtFine_instanceIds.png"), instances)
	}
	return root
}

// A run scores Cityscapes as the evaluation of label ids does that reads its label maps from disk, and whose scores are
// cityscapesScripts' own.
func TestCityscapesInARun(t *testing.T) {
	r := demo(t)
	root := streets(t, 3)
	var err error
	if r.Suite, err = configs.Parse("s.yaml", []byte("model: micro\ndatasets: [cityscapes]\nmethods: [clip, clip_surgery]\nprotocol: {base: clip-surgery, size: 32x64, convention: cityscapes}\nresamples: 50\n"), Known()); err != nil {
		t.Fatal(err)
	}
	r.Data, r.Save.Labels = root, true
	run, err := measure(t, t.Context(), r, quiet{})
	if err != nil || !run.Complete {
		t.Fatal(err, run.Failures)
	}
	for _, m := range run.Methods {
		preds := t.TempDir()
		files, err := filepath.Glob(filepath.Join(r.Out, "labels", "cityscapes", m.Name, "*.png"))
		if err != nil || len(files) != 3 {
			t.Fatal(files, err)
		}
		for _, f := range files {
			l, err := datasets.ReadLabels(f)
			if err != nil {
				t.Fatal(err)
			}
			img := image.NewGray(image.Rect(0, 0, l.W, l.H))
			for i, v := range l.Pix {
				img.Pix[i] = uint8(cityscapesIDs[v])
			}
			writePNG(t, filepath.Join(preds, filepath.Base(f)), img)
		}
		want, err := ScoreLabels(t.Context(), LabelScoring{Truth: filepath.Join(root, "gtFine"), Pred: preds, Classes: 34, Ignore: -1, Convention: "cityscapes"}, quiet{})
		if err != nil {
			t.Fatal(err)
		}
		cell := run.Cell("cityscapes", m.Name)
		for _, name := range []string{"mIoU", "iIoU", "mIoU_category", "iIoU_category"} {
			got := cell.Score(name)
			if got == nil || math.Abs(got.Value-scoreOf(want, name)) > 1e-12 || got.Low == nil {
				t.Errorf("%s %s: %+v, want %v with an interval", m.Name, name, got, scoreOf(want, name))
			}
		}
		if cell.Counts["images_with_instances"] != 3 {
			t.Errorf("counts %v", cell.Counts)
		}
	}
	// Another convention reads the same records and has no weights.
	again, err := Rescore(r.Out, t.TempDir(), map[string]string{"protocol.convention": "mmseg"})
	if err != nil {
		t.Fatal(err)
	}
	if c := again.Cell("cityscapes", "clip"); c.Convention != "mmseg" || c.Score("iIoU") != nil || c.Score("mIoU").Value != run.Cell("cityscapes", "clip").Score("mIoU").Value {
		t.Errorf("under mmseg: %+v", c.Scores)
	}
	if _, err := Rescore(r.Out, t.TempDir(), map[string]string{"protocol.size": "64"}); err == nil {
		t.Error("records are rescored at another size")
	}
	// Without instance files the rest stands.
	files, err := filepath.Glob(filepath.Join(root, "gtFine", "val", "x", "*_instanceIds.png"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files[:1] {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	r.Out, r.Save.Labels = t.TempDir(), false
	if run, err = measure(t, t.Context(), r, quiet{}); err != nil {
		t.Fatal(err)
	}
	c := run.Cell("cityscapes", "clip")
	if c.Score("iIoU") != nil || c.Score("mIoU_category") == nil || c.Counts["images_with_instances"] != 2 {
		t.Errorf("without an instance map: %v, %v", c.Scores, c.Counts)
	}
}

// Three images of two classes, by hand: IoU of x is 1, 1/2 and none; of y none, 0 (predicted, absent) and 1/4.
func TestScoresOfSingleImages(t *testing.T) {
	run := two("m")
	var recs []Record
	for i, c := range []Confusion{{{0, 0, 4}}, {{0, 0, 2}, {0, 1, 2}}, {{1, 1, 1}, {1, 2, 3}}, nil} {
		recs = append(recs, Record{Dataset: "d", Index: i, ID: fmt.Sprint(i), Methods: map[string]Evidence{"m": {Confusion: c}}})
	}
	for convention, want := range map[string][2]float64{
		"mmseg":     {(1 + 0.25 + 0.25) / 3, (0.75 + 0.125) / 2},
		"ade20k":    {(1 + 0.25 + 0.25) / 3, (0.75 + 0.125) / 2}, // absent classes are not 0 in a single image
		"cocostuff": {(1 + 0.5 + 0.25) / 3, (0.75 + 0.25) / 2},
	} {
		run.Protocol.Fields["convention"] = convention
		cells, err := Score(run, "segmentation", recs, 100, 1)
		if err != nil {
			t.Fatal(err)
		}
		c := cells[0]
		for i, name := range []string{"mIoU-image", "mIoU-image-class"} {
			if s := c.Score(name); s == nil || math.Abs(s.Value-want[i]) > 1e-12 || s.Low == nil {
				t.Errorf("%s %s: %+v, want %v", convention, name, s, want[i])
			}
		}
		if diff := cmp.Diff(map[string]int{"undefined_classes": 0, "void_images": 1}, c.Counts); diff != "" {
			t.Errorf("%s: counts (-want +got)\n%s", convention, diff)
		}
		if c.Score("mBIoU") != nil {
			t.Error("boundaries that no record has are scored")
		}
	}
}

// Truth and boxes are judged in TorchRay's form: filled boxes, difficult ones part of them unless all are.
func TestPointingOnBoxes(t *testing.T) {
	easy := datasets.Object{Class: 0, X0: 0, Y0: 0, X1: 2, Y1: 2}
	hard := datasets.Object{Class: 0, X0: 30, Y0: 30, X1: 40, Y1: 40, Difficult: true}
	for _, c := range []struct {
		objects []datasets.Object
		want    metrics.Outcome
	}{
		{[]datasets.Object{easy, hard}, metrics.Hit},
		{[]datasets.Object{easy}, metrics.Miss},
		{[]datasets.Object{hard}, metrics.Skipped},
		{[]datasets.Object{{Class: 0, X0: 50, Y0: 35, X1: 60, Y1: 36}}, metrics.Miss}, // pixels 50 to 59: 15 away
		{[]datasets.Object{{Class: 0, X0: 49, Y0: 35, X1: 60, Y1: 36}}, metrics.Hit},
		{[]datasets.Object{{Class: 0, X0: 10, Y0: 35, X1: 21.9, Y1: 36}}, metrics.Miss}, // its last pixel is 20: 15 away
		{[]datasets.Object{{Class: 0, X0: 10, Y0: 35, X1: 22, Y1: 36}}, metrics.Hit},
	} {
		var e Evidence
		p := pointed{image: 3, class: 0, w: 64, h: 64, extent: metrics.Extent{Peak: 35*64 + 35, Peaks: 2}}
		if err := e.addObjects(p, c.objects); err != nil {
			t.Fatal(err)
		}
		want := []metrics.PointRecord{{Image: 3, Class: 0, Outcome: c.want, Tied: true}}
		if diff := cmp.Diff(want, e.Boxes); diff != "" {
			t.Errorf("%v (-want +got)\n%s", c.objects, diff)
		}
	}
	if got := withObjects([]datasets.Object{{Class: 4}, {Class: 1}, {Class: 4}}); !slices.Equal(got, []int{1, 4}) {
		t.Errorf("classes %v", got)
	}
}

// Where things have masks, their union is what is pointed at: here pixels 14 and 15 to the right of the point.
func TestPointingOnMasks(t *testing.T) {
	const side, x, y = 64, 35, 35
	pixel := func(at int) datasets.Object { // runs go down the columns
		before := uint32(at*side + y)
		m, err := datasets.NewRLE([]uint32{before, 1, side*side - before - 1}, side, side)
		if err != nil {
			t.Fatal(err)
		}
		return datasets.Object{Class: 1, X0: float64(at), Y0: y, X1: float64(at + 1), Y1: y + 1, Mask: m}
	}
	for _, c := range []struct {
		objects []datasets.Object
		want    metrics.Outcome
	}{
		{[]datasets.Object{pixel(x + 15)}, metrics.Miss},
		{[]datasets.Object{pixel(x + 15), pixel(x + 14)}, metrics.Hit},
		{[]datasets.Object{pixel(x + 14), pixel(x + 15)}, metrics.Hit},
	} {
		var e Evidence
		p := pointed{image: 3, class: 1, w: side, h: side, extent: metrics.Extent{Peak: y*side + x, Peaks: 1}}
		if err := e.addObjects(p, append(c.objects, datasets.Object{Class: 0, X1: side, Y1: side})); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]metrics.PointRecord{{Image: 3, Class: 1, Outcome: c.want}}, e.Masks); diff != "" || e.Boxes != nil {
			t.Errorf("%v (-want +got)\n%s", c.objects, diff)
		}
	}
}
