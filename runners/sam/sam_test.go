package sam

import (
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

// tolerance is of the largest value.
const tolerance = 1e-4

// recording is a folder of what the authors' code (segment-anything 1.0) computed with a random model.
type recording struct {
	dir   string
	index struct {
		Model struct {
			Image  int `json:"img"`
			Dim    int
			Depth  int
			Heads  int
			Prompt int
			DHeads int
			Patch  int
		}
		Pictures map[string]string
		Prompts  map[string]map[string]recordedPrompt
		Arrays   map[string]struct{ Shape []int }
	}
}

type recordedPrompt struct {
	Points    [][2]float64
	Labels    []int
	Box       []float64
	MaskOf    string `json:"mask_of"`
	MaskIndex int    `json:"mask_index"`
	Picked    int
	InNetwork [][2]float64 `json:"in_network_pixels"`
}

func recordings(t *testing.T) []recording {
	t.Helper()
	root := os.Getenv("OVBENCH_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	paths, _ := filepath.Glob(filepath.Join(root, "golden", "sam", "*", "index.json"))
	if len(paths) == 0 {
		skip(t, "no recordings of SAM: set OVBENCH_SHARED")
	}
	var out []recording
	for _, path := range paths {
		r := recording{dir: filepath.Dir(path)}
		data, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(data, &r.index)
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("OVBENCH_PARITY") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func library(t testing.TB) *ort.Library {
	t.Helper()
	lib, err := ort.Load("")
	if err != nil {
		skip(t, err.Error())
	}
	return lib
}

func (r recording) array(t *testing.T, name string) tensor.Dense {
	t.Helper()
	f, err := os.Open(filepath.Join(r.dir, name+".npy"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := tensor.ReadNPY(f)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// resized is a picture as the network sees it, and the frame of the picture it was made of.
func (r recording) resized(t *testing.T, picture string, w, h int) (Frame, resample.RGB) {
	t.Helper()
	d := r.array(t, picture+"_resized")
	f, err := newFrame(w, h, r.index.Model.Image)
	if err != nil {
		t.Fatal(err)
	}
	if f.height != d.Shape[0] || f.width != d.Shape[1] {
		t.Fatalf("%s: %dx%d is resized to %dx%d, recorded is %v", picture, w, h, f.width, f.height, d.Shape)
	}
	rgb := resample.RGB{W: f.width, H: f.height}
	for _, v := range d.Data {
		rgb.Pix = append(rgb.Pix, uint8(v))
	}
	return f, rgb
}

func (p recordedPrompt) prompt(t *testing.T, r recording, picture string) Prompt {
	var out Prompt
	for i, q := range p.Points {
		out.Points = append(out.Points, Point{q[0], q[1], p.Labels[i] == 1})
	}
	if p.Box != nil {
		out.Box = &Box{p.Box[0], p.Box[1], p.Box[2], p.Box[3]}
	}
	if p.MaskOf != "" {
		out.Mask = r.array(t, picture+"_"+p.MaskOf+"_low_res").At(0).At(p.MaskIndex).Data
	}
	return out
}

func compare(t testing.TB, what string, got, want tensor.Dense) {
	t.Helper()
	if !slices.Equal(got.Shape, want.Shape) {
		t.Errorf("%s: shape %v, want %v", what, got.Shape, want.Shape)
		return
	}
	largest, off := 0.0, 0.0
	for i, v := range want.Data {
		largest = max(largest, math.Abs(float64(v)))
		off = max(off, math.Abs(float64(v)-float64(got.Data[i])))
	}
	if !(off <= tolerance*largest) {
		t.Errorf("%s: off by %g of the largest value %g", what, off/largest, largest)
	}
}

// sizes of the recorded pictures.
var pictureSizes = map[string][2]int{"a": {200, 150}, "b": {161, 233}}

// Every form of a recorded model gives what the authors' code gave: embeddings, logits, scores and masks.
func TestRecordings(t *testing.T) {
	lib := library(t)
	for _, r := range recordings(t) {
		forms := []string{"sam.pth", "hf", "encoder.onnx,decoder.onnx", "encoder.preprocess.onnx,decoder.onnx"}
		for _, form := range forms {
			first, _, pair := strings.Cut(form, ",")
			if _, err := os.Stat(filepath.Join(r.dir, first)); pair && err != nil {
				continue
			}
			path := filepath.Join(r.dir, form)
			if pair {
				path = filepath.Join(r.dir, first) + "," + filepath.Join(r.dir, "decoder.onnx")
			}
			t.Run(filepath.Base(r.dir)+"/"+form, func(t *testing.T) {
				s, err := Load(lib, path, ort.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				for picture := range r.index.Pictures {
					r.comparePicture(t, s, picture)
				}
			})
		}
	}
}

func (r recording) comparePicture(t *testing.T, s *Segmenter, picture string) {
	size := pictureSizes[picture]
	f, rgb := r.resized(t, picture, size[0], size[1])
	values, err := s.network.embed(t.Context(), f, rgb)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, picture+" embedding", values, r.array(t, picture+"_embedding"))
	e := &Embedding{Frame: f, Values: values}
	for name, recorded := range r.index.Prompts[picture] {
		what := picture + "_" + name
		m, err := s.Segment(t.Context(), e, recorded.prompt(t, r, picture))
		if err != nil {
			t.Fatal(err)
		}
		low, iou := r.array(t, what+"_low_res"), r.array(t, what+"_iou")
		compare(t, what+" low_res", m.Low, low.At(0))
		compare(t, what+" iou", tensor.Dense{Shape: []int{len(m.IoU)}, Data: m.IoU}, iou.At(0))
		if best := m.Best(); best != recorded.Picked {
			t.Errorf("%s: mask %d is picked, want %d", what, best, recorded.Picked)
		}
		r.compareMasks(t, what, m)
	}
}

// compareMasks allows pixels to differ whose logit is within the tolerance of 0.
func (r recording) compareMasks(t *testing.T, what string, m *Masks) {
	t.Helper()
	packed := r.array(t, what+"_masks") // bits along the width, the most significant first
	for i := range m.IoU {
		full, mask := m.logits(i, m.Width, m.Height), m.Mask(i)
		largest := 0.0
		for _, v := range full {
			largest = max(largest, math.Abs(float64(v)))
		}
		differ := 0
		for k := range mask {
			bit := uint8(packed.At(i).Data[k/m.Width*packed.Shape[2]+k%m.Width/8]) >> (7 - k%m.Width%8) & 1
			if bit != mask[k] && math.Abs(float64(full[k])) > tolerance*largest {
				differ++
			}
		}
		if differ > 0 {
			t.Errorf("%s: mask %d differs in %d of %d pixels", what, i, differ, len(mask))
		}
	}
	if _, ok := r.index.Arrays[what+"_logits"]; ok {
		want := r.array(t, what+"_logits")
		compare(t, what+" logits", tensor.Dense{Shape: want.Shape, Data: m.logits(m.Best(), m.Width, m.Height)}, want)
	}
}

// Steps inside the model are those recorded: pixels, tokens, blocks, positions, prompts.
func TestRecordedSteps(t *testing.T) {
	lib := library(t)
	for _, r := range recordings(t) {
		for _, form := range []string{"sam.pth", "hf"} {
			m, err := Open(filepath.Join(r.dir, form))
			if err != nil {
				t.Fatal(err)
			}
			t.Run(filepath.Base(r.dir)+"/"+form, func(t *testing.T) { r.compareSteps(t, lib, m) })
		}
	}
}

func (r recording) compareSteps(t *testing.T, lib *ort.Library, m *Model) {
	want := r.index.Model
	if m.Image != want.Image || m.Width != want.Dim || m.Depth != want.Depth || m.Heads != want.Heads ||
		m.Embed != want.Prompt ||
		m.Patch != want.Patch || m.DecoderHeads != want.DHeads {
		t.Errorf("sizes %+v, want %+v", m.Config, want)
	}
	places := r.array(t, "dense_pe")
	compare(t, "dense_pe", transposed(m.decoder.places), tensor.Dense{Shape: []int{1, m.Embed, m.Grid * m.Grid},
		Data: places.Data})
	for picture, size := range pictureSizes {
		if _, ok := r.index.Pictures[picture]; !ok {
			continue
		}
		f, rgb := r.resized(t, picture, size[0], size[1])
		pixels := f.pixels(rgb, m.Mean, m.Std)
		if _, ok := r.index.Arrays[picture+"_input"]; ok {
			compare(t, picture+" pixels", pixels, r.array(t, picture+"_input"))
		}
		if _, ok := r.index.Arrays[picture+"_tokens"]; ok {
			r.compareBlocks(t, lib, m, picture, pixels)
		}
		for name, p := range r.index.Prompts[picture] {
			points := f.list(p.prompt(t, r, picture))
			compare(t, name+" sparse", m.prompts.sparse(points, m.Image), r.array(t, picture+"_"+name+"_sparse"))
			for i, q := range p.InNetwork {
				if points[i].x != float32(q[0]) || points[i].y != float32(q[1]) {
					t.Errorf("%s: point %d lies at %v, want %v", name, i, points[i], q)
				}
			}
			if what := picture + "_" + name + "_dense"; p.MaskOf != "" && r.index.Arrays[what].Shape != nil {
				n := &native{model: m}
				n.masks[0] = lazy(lib, "masks", func() *onnx.Graph { return m.MaskGraph(false) }, ort.Options{})
				dense, err := n.dense(t.Context(), p.prompt(t, r, picture))
				if err != nil {
					t.Fatal(err)
				}
				compare(t, what, dense, r.array(t, what))
			}
		}
	}
}

func (r recording) compareBlocks(t *testing.T, lib *ort.Library, m *Model, picture string, pixels tensor.Dense) {
	g := onnx.New()
	x := m.encoder.tokens(g, g.Input("pixels", tensor.F32, pixels.Shape...))
	g.Output("tokens", x)
	names := []string{"tokens"}
	for i := range m.encoder.blocks {
		x = m.encoder.blocks[i].apply(g, x, m.encoder.heads)
		names = append(names, fmt.Sprintf("block%d", i))
		g.Output(names[1+i], x)
	}
	model, err := g.Model()
	if err != nil {
		t.Fatal(err)
	}
	s, err := lib.NewSession("blocks", model, ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out := make([]tensor.Dense, len(names))
	for i := range out {
		out[i] = tensor.New(1, m.Grid*m.Grid, m.Width)
	}
	if err := s.Run(t.Context(), values([]tensor.Dense{pixels}), values(out)); err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		want := r.array(t, picture+"_"+name)
		compare(t, name, out[i], tensor.Dense{Shape: out[i].Shape, Data: want.Data})
	}
}

// transposed takes [1, n, c] to [1, c, n].
func transposed(d tensor.Dense) tensor.Dense {
	n, c := d.Shape[1], d.Shape[2]
	out := tensor.New(1, c, n)
	for i, v := range d.Data {
		out.Data[i%c*n+i/c] = v
	}
	return out
}

// A picture is resized as Pillow does it.
func TestResized(t *testing.T) {
	for _, r := range recordings(t) {
		if _, ok := r.index.Pictures["a"]; !ok {
			continue
		}
		f, want := r.resized(t, "a", 200, 150)
		img := resample.FromNRGBA(readPNG(t, filepath.Join(r.dir, r.index.Pictures["a"])))
		if got := f.resized(img); !slices.Equal(got.Pix, want.Pix) {
			t.Error("a.png is resized to other bytes than those recorded")
		}
	}
}

func readPNG(t *testing.T, path string) *image.NRGBA {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	src, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	out := image.NewNRGBA(src.Bounds())
	for y := range src.Bounds().Dy() {
		for x := range src.Bounds().Dx() {
			out.Set(x, y, src.At(x, y))
		}
	}
	return out
}

// A decoder with a single mask returns what it chose, and the segmenter says so.
func TestSingleMaskPair(t *testing.T) {
	lib := library(t)
	for _, r := range recordings(t) {
		decoder := filepath.Join(r.dir, "decoder.single.onnx")
		if _, err := os.Stat(decoder); err != nil {
			continue
		}
		s, err := Load(lib, filepath.Join(r.dir, "encoder.onnx")+","+decoder, ort.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "--return-single-mask") {
			t.Errorf("notes %q", s.Notes)
		}
		if _, err := s.Refiner(161, 233, nil); err == nil || !strings.Contains(err.Error(), "give a checkpoint") {
			t.Errorf("an exported pair refines label maps: %v", err)
		}
		f, rgb := r.resized(t, "b", 161, 233)
		values, err := s.network.embed(t.Context(), f, rgb)
		if err != nil {
			t.Fatal(err)
		}
		// One click and its padding: the best of masks 1 to 3; more points: mask 0 (segment_anything/utils/onnx.py).
		for name, want := range map[string]int{"one": r.index.Prompts["b"]["one"].Picked, "class0": 0} {
			m, err := s.Segment(t.Context(), &Embedding{Frame: f, Values: values}, r.index.Prompts["b"][name].prompt(t, r, "b"))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, name, m.Low.At(m.Best()), r.array(t, "b_"+name+"_low_res").At(0).At(want))
		}
	}
}

// gradient is a picture of w x h pixels.
func gradient(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		copy(img.Pix[4*i:], []uint8{uint8(255 * (i % w) / w), uint8(255 * (i / w) / h), uint8(i), 255})
	}
	return img
}
