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

	"ovbench/bench/analysis"
	"ovbench/bench/tasks"
	"ovbench/configs"
	"ovbench/datasets/labelmap"
	"ovbench/metrics"
	"ovbench/reports/results"
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
		picture, labels, instances := image.NewRGBA(image.Rect(0, 0, w, h)), image.NewGray(image.Rect(0, 0, w, h)),
			image.NewGray16(image.Rect(0, 0, w, h))
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
	if r.Suite, err = configs.Parse("s.yaml",
		[]byte("model: micro\ndatasets: [cityscapes]\nmethods: [clip, clip_surgery]\nprotocol: {base: clip-surgery, size: "+
			"32x64, convention: cityscapes}\nresamples: 50\n"), tasks.Known()); err != nil {
		t.Fatal(err)
	}
	r.Data, r.Save.Labels = root, true
	run, err := measure(t, t.Context(), r, quiet{})
	if err != nil || !run.Complete {
		t.Fatal(err, run.Failures)
	}
	var ids []int // of the evaluated labels
	for id, l := range metrics.CityscapesLabels {
		if !l.Ignored {
			ids = append(ids, id)
		}
	}
	for _, m := range run.Methods {
		preds := t.TempDir()
		files, err := filepath.Glob(filepath.Join(r.Out, "labels", "cityscapes", m.Name, "*.png"))
		if err != nil || len(files) != 3 {
			t.Fatal(files, err)
		}
		for _, f := range files {
			l, err := labelmap.Read(f)
			if err != nil {
				t.Fatal(err)
			}
			img := image.NewGray(image.Rect(0, 0, l.W, l.H))
			for i, v := range l.Pix {
				img.Pix[i] = uint8(ids[v])
			}
			writePNG(t, filepath.Join(preds, filepath.Base(f)), img)
		}
		want, err := analysis.ScoreLabels(t.Context(), analysis.LabelScoring{Truth: filepath.Join(root, "gtFine"),
			Pred: preds, Classes: 34, Ignore: -1, Convention: "cityscapes"}, quiet{})
		if err != nil {
			t.Fatal(err)
		}
		cell := run.Cell("cityscapes", m.Name)
		for _, name := range []string{"mIoU", "iIoU", "mIoU_category", "iIoU_category"} {
			got := cell.Score(name)
			at := slices.IndexFunc(want.Scores, func(s results.Score) bool { return s.Name == name })
			if got == nil || math.Abs(got.Value-want.Scores[at].Value) > 1e-12 || got.Low == nil {
				t.Errorf("%s %s: %+v, want %v with an interval", m.Name, name, got, want.Scores[at])
			}
		}
		if cell.Counts["images_with_instances"] != 3 {
			t.Errorf("counts %v", cell.Counts)
		}
	}
	// Another convention reads the same records and has no weights.
	again, err := analysis.Rescore(r.Out, t.TempDir(), map[string]string{"protocol.convention": "mmseg"})
	if err != nil {
		t.Fatal(err)
	}
	if c := again.Cell("cityscapes", "clip"); c.Convention != "mmseg" || c.Score("iIoU") != nil ||
		c.Score("mIoU").Value != run.Cell("cityscapes", "clip").Score("mIoU").Value {
		t.Errorf("under mmseg: %+v", c.Scores)
	}
	if _, err := analysis.Rescore(r.Out, t.TempDir(), map[string]string{"protocol.size": "64"}); err == nil {
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
