package main

import (
	"encoding/json"
	"image"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ovbench/datasets"
	"ovbench/reports/results"
	"ovbench/runners/sam/samtest"
	"ovbench/runners/tensor"
)

// Every recorded prompt of points or a box gives the recorded logits, scores and mask by a command line, be the picture
// a PNG or a JPEG and the segmenter a .pth file, a directory or an exported pair. The arrays were recorded with
// segment-anything 1.0; index.json beside them says what each is.
func TestSegmentGivesRecordings(t *testing.T) {
	root := os.Getenv("OVBENCH_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "shared")
	}
	paths, _ := filepath.Glob(filepath.Join(root, "golden", "sam", "*", "index.json"))
	if len(paths) == 0 {
		if os.Getenv("OVBENCH_PARITY") == "1" {
			t.Fatal("no recordings of SAM; set OVBENCH_SHARED")
		}
		t.Skip("no recordings of SAM: set OVBENCH_SHARED")
	}
	for _, path := range paths {
		dir := filepath.Dir(path)
		segmenters := []string{filepath.Join(dir, "sam.pth"), filepath.Join(dir, "hf")}
		if encoder := filepath.Join(dir, "encoder.preprocess.onnx"); exists(encoder) {
			segmenters = append(segmenters, encoder+","+filepath.Join(dir, "decoder.onnx"))
		}
		for _, s := range segmenters {
			t.Run(filepath.Base(dir)+"/"+filepath.Base(s), func(t *testing.T) { segmentRecordings(t, dir, s) })
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func segmentRecordings(t *testing.T, dir, segmenter string) {
	type recorded struct {
		Points [][2]float64 `json:"points"`
		Labels []int        `json:"labels"`
		Box    []float64    `json:"box,omitempty"`
		MaskOf string       `json:"mask_of,omitempty"`
		Picked int          `json:"picked"`
		Text   string       `json:"text"`
	}
	var index struct {
		Pictures map[string]string
		Prompts  map[string]map[string]recorded
	}
	data, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err == nil {
		err = json.Unmarshal(data, &index)
	}
	if err != nil {
		t.Fatal(err)
	}
	for picture, file := range index.Pictures {
		var list []recorded
		var names []string
		for name, p := range index.Prompts[picture] {
			if p.MaskOf == "" { // no command says so
				p.Text = name
				list, names = append(list, p), append(names, name)
			}
		}
		out := t.TempDir()
		points := filepath.Join(out, "points.json")
		data, err := json.Marshal(list)
		if err == nil {
			err = os.WriteFile(points, data, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
		command(t, "segment", filepath.Join(dir, file), "--segmenter", segmenter, "--points", points, "--out", out)
		low, iou := readArray(t, filepath.Join(out, "low_res.npy")), readArray(t, filepath.Join(out, "iou.npy"))
		for i, name := range names {
			want := filepath.Join(dir, picture+"_"+name)
			if d := farthest(low.At(i), readArray(t, want+"_low_res.npy").At(0)); !(d < 1e-4) {
				t.Errorf("%s: logits are %.2g away", want, d)
			}
			if d := farthest(iou.At(i), readArray(t, want+"_iou.npy").At(0)); !(d < 1e-4) {
				t.Errorf("%s: scores are %.2g away", want, d)
			}
			masks := readArray(t, want+"_masks.npy").At(list[i].Picked)
			if n := differing(t, filepath.Join(out, "masks", strings.ToLower(name)+".png"), masks); n > 2 { // of logits near 0
				t.Errorf("%s: %d pixels of the mask differ", want, n)
			}
		}
	}
}

// differing counts the pixels of a mask that are not as recorded: rows of bits, the most significant first.
func differing(t *testing.T, path string, want tensor.Dense) int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	mask, n := img.(*image.Gray), 0
	for y := range want.Shape[0] {
		for x := range mask.Rect.Dx() {
			if bit := uint8(want.Data[y*want.Shape[1]+x/8]) >> (7 - x%8) & 1; 255*bit != mask.GrayAt(x, y).Y {
				n++
			}
		}
	}
	return n
}

// A model whose sizes are all unusual gives what the authors' package gives.
func TestSegmentInPython(t *testing.T) {
	if os.Getenv("OVBENCH_PYTHON") == "" {
		t.Skip("set OVBENCH_PYTHON to a Python with torch, torchvision and segment_anything")
	}
	if err := exec.Command(os.Getenv("OVBENCH_PYTHON"), "-c", "import segment_anything").Run(); err != nil {
		t.Skip("OVBENCH_PYTHON has no segment_anything")
	}
	picture := filepath.Join("..", "runners", "clip", "testdata", "micro", "image.png") // 70 x 52
	theirs, ours := t.TempDir(), t.TempDir()
	python(t, "segment.py", picture, theirs)
	command(t, "segment", picture, "--segmenter", filepath.Join(theirs, "sam.pth"), "--points",
		filepath.Join(theirs, "points.json"), "--out", ours)
	for _, name := range []string{"low_res.npy", "iou.npy"} {
		if d := farthest(readArray(t, filepath.Join(ours, name)), readArray(t, filepath.Join(theirs, name))); !(d < 1e-4) {
			t.Errorf("%s is %.2g away", name, d)
		}
	}
}

// Scores of task interactive equal numpy's, computed from the maps and logits that the run kept: on the built-in
// pictures with a tiny segmenter of random weights, and on real ones with a recorded one.
func TestInteractiveInPython(t *testing.T) {
	if os.Getenv("OVBENCH_PYTHON") == "" {
		t.Skip("set OVBENCH_PYTHON to a Python with numpy, Pillow and scipy")
	}
	data := t.TempDir()
	if err := os.CopyFS(data, datasets.Demo()); err != nil {
		t.Fatal(err)
	}
	random := filepath.Join(t.TempDir(), "sam.safetensors")
	if err := samtest.Write(random, samtest.Tiny, 1); err != nil {
		t.Fatal(err)
	}
	interactiveInPython(t, data, random, samtest.Tiny.Image)
	root := os.Getenv("OVBENCH_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "shared")
	}
	recorded := filepath.Join(root, "golden", "sam", "tiny", "sam.pth")
	if !exists(recorded) {
		t.Log("only built-in pictures are compared; set OVBENCH_SHARED for real ones")
		return
	}
	interactiveInPython(t, filepath.Join(root, "samples", "voc"), recorded, 256) // the side that its index.json says
}

func interactiveInPython(t *testing.T, data, segmenter string, side int) {
	dir := filepath.Join(t.TempDir(), "run")
	command(t, "run", "interactive_voc", "--model", "micro", "--segmenter", segmenter, "--data", data, "--set",
		"protocol.size=160",
		"--set", "protocol.point_threshold=0.7", "--out", dir, "--save", "maps,masks")
	var theirs map[string]map[string]float64
	voc := filepath.Join(data, "VOCdevkit", "VOC2012")
	if err := json.Unmarshal([]byte(python(t, "interactive.py", dir, voc, strconv.Itoa(side))), &theirs); err != nil {
		t.Fatal(err)
	}
	r, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range r.Methods {
		if n := theirs[m.Name]["differ"]; n != 0 {
			t.Errorf("%s: %v prompts are others", m.Name, n)
		}
		cell := r.Cell("voc20", m.Name)
		if len(cell.Scores) != len(theirs[m.Name])-1 {
			t.Errorf("%s: %d scores, numpy has %d", m.Name, len(cell.Scores), len(theirs[m.Name])-1)
		}
		for _, s := range cell.Scores {
			// Maps and logits are upsampled in float32 here, in float64 there.
			if want := theirs[m.Name][s.Name]; math.Abs(s.Value-want) > 2e-4 {
				t.Errorf("%s %s: %v, numpy has %v", m.Name, s.Name, s.Value, want)
			}
		}
	}
}
