package engine

import (
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/bench/analysis"
	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/configs"
)

// blocks writes a data set of class folder: pictures of one colour, labels of two halves. turn swaps the labels.
func blocks(t *testing.T, images int, red uint8, turn bool) string {
	t.Helper()
	root := t.TempDir()
	const w, h = 40, 30
	for i := range images {
		picture, labels := image.NewRGBA(image.Rect(0, 0, w, h)), image.NewGray(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				picture.Set(x, y, color.RGBA{red, uint8(6 * x), uint8(20 * i), 255})
				label := uint8(2 * x / w)
				if turn {
					label = 1 - label
				}
				labels.SetGray(x, y, color.Gray{label})
			}
		}
		writePNG(t, filepath.Join(root, "images", fmt.Sprintf("p%d.png", i)), picture)
		writePNG(t, filepath.Join(root, "labels", fmt.Sprintf("p%d.png", i)), labels)
	}
	if err := os.WriteFile(filepath.Join(root, "classes.txt"), []byte("circle\nsquare\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	return root
}

func folderSuite(t *testing.T, root, more string) *configs.Suite {
	t.Helper()
	s, err := configs.Parse("s.yaml",
		[]byte("model: micro\ndatasets: [{name: folder, root: "+root+more+"}]\nmethods: [clip]\nprotocol: {base: "+
			"clip-surgery, size: 32, templates: none}\nresamples: 20\npanels: 0\n"), tasks.Known())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A run goes on only with the data and the readings of labels that it began with, and says what differs; parts are
// joined only if all was alike.
func TestOnlyOneThingIsJoined(t *testing.T) {
	base := demo(t)
	root := blocks(t, 6, 200, false)
	run := func(s *configs.Suite, out string, shard Shard, resume bool) error {
		t.Helper()
		r := base
		r.Suite, r.Out, r.Shard, r.Resume = s, out, shard, resume
		plan, err := NewPlan(r)
		if err != nil {
			t.Fatal(err)
		}
		_, err = plan.Run(t.Context(), quiet{})
		return err
	}
	refused := func(what string, err error, want ...string) {
		t.Helper()
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %v, want %q", what, err, w)
			}
		}
	}
	plain := folderSuite(t, root, "")
	first, second := Shard{1, 2}, Shard{2, 2}
	a := t.TempDir()
	if err := run(plain, a, first, false); err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{", ignore: 200", ", reduce_zero_label: true", ", background: true",
		", apply_exif: true"} {
		b := t.TempDir()
		if err := run(folderSuite(t, root, more), b, second, false); err != nil {
			t.Fatal(err)
		}
		for _, dirs := range [][]string{{a, b}, {b, a}} {
			_, _, err := analysis.Merge(dirs, filepath.Join(t.TempDir(), "m"))
			refused("joined"+more, err, "data set folder")
		}
		refused("went on"+more, run(folderSuite(t, root, more), a, first, true), "data set folder", "keys of the suite")
	}
	// Scored otherwise, measured alike.
	unlike := folderSuite(t, root, "")
	unlike.Seed = 7
	b := t.TempDir()
	if err := run(unlike, b, second, false); err != nil {
		t.Fatal(err)
	}
	_, _, err := analysis.Merge([]string{a, b}, filepath.Join(t.TempDir(), "m"))
	refused("other seed", err, "seed", "rescore")
	// Other pictures, and other labels, where the data were.
	for what, other := range map[string]string{"picture": blocks(t, 6, 10, false), "truth": blocks(t, 6, 200, true)} {
		if err := os.Rename(root, root+"-before"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(other, root); err != nil {
			t.Fatal(err)
		}
		refused("other "+what, run(plain, a, first, true), "has another "+what)
		o := t.TempDir()
		if err := run(plain, o, first, false); err != nil {
			t.Fatal(err)
		}
		_, err := analysis.Compare(analysis.CompareRequest{A: a, B: o})
		refused("compared with other "+what, err, "folder."+what, "3 of them differ")
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(root+"-before", root); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(plain, a, first, true); err != nil {
		t.Errorf("going on with the same data: %v", err)
	}
	// A folder that holds anything else is no place for a run.
	refused("a data set as --out", run(plain, root, first, false), "no run")
	if _, err := os.Stat(filepath.Join(root, records.LockFile)); err == nil {
		t.Error("something was written into the data set")
	}
}

// A run that goes on says what the labels give away, though it measures nothing anew.
func TestResumedRunsNameMistakes(t *testing.T) {
	r := demo(t)
	root := blocks(t, 3, 200, false)
	for i := range 3 {
		mask := image.NewGray(image.Rect(0, 0, 40, 30))
		for p := range mask.Pix {
			mask.Pix[p] = uint8(p % 2 * 255)
		}
		writePNG(t, filepath.Join(root, "labels", fmt.Sprintf("p%d.png", i)), mask)
	}
	r.Suite, r.Out = folderSuite(t, root, ""), t.TempDir()
	for _, r.Resume = range []bool{false, true, true} {
		plan, err := NewPlan(r)
		if err != nil {
			t.Fatal(err)
		}
		out, err := plan.Run(t.Context(), quiet{})
		if err != nil {
			t.Fatal(err)
		}
		if warned := strings.Join(out.Warnings, "\n"); !strings.Contains(warned, "where masks are stored so") {
			t.Errorf("resume %v: warnings %q", r.Resume, warned)
		}
	}
}
