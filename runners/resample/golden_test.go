package resample

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// golden is one expected output, written by testdata/make.py.
type golden struct {
	Op           string
	Seed         uint32
	SW, SH, W, H int
	Channels     int
	Iterations   int
	Window       int
	Stride       int
	Tiles        int
	Pad          bool
	StepX, StepY float64
	SHA256, Raw  string
}

func (g golden) String() string {
	return fmt.Sprintf("%s %dx%d to %dx%d step %g,%g", g.Op, g.SW, g.SH, g.W, g.H, g.StepX, g.StepY)
}

func readGoldens(t *testing.T, name string) []golden {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var out []golden
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return out
}

// check compares got with the golden output, byte by byte where that is stored.
func (g golden) check(t *testing.T, got []byte) {
	t.Helper()
	sum := sha256.Sum256(got)
	if hex.EncodeToString(sum[:]) == g.SHA256 {
		return
	}
	want, err := base64.StdEncoding.DecodeString(g.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(want) != len(got) {
		t.Errorf("%v: the bytes differ", g)
		return
	}
	for i := range want {
		if got[i] != want[i] {
			at := i &^ 3
			t.Errorf("%v: byte %d of %d is %d, want %d (around it % x, want % x)", g, i, len(got), got[i], want[i],
				got[at:min(at+4, len(got))], want[at:min(at+4, len(got))])
			return
		}
	}
}

// stream is the generator of testdata/make.py: 24 random bits per number.
func stream(n int, seed uint32) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		seed = seed*1664525 + 1013904223
		out[i] = seed >> 8
	}
	return out
}

func randomPixels(w, h int, seed uint32) RGB {
	out := NewRGB(w, h)
	for i, v := range stream(len(out.Pix), seed) {
		out.Pix[i] = uint8(v >> 16)
	}
	return out
}

func randomNumbers(n int, seed uint32) []float32 {
	out := make([]float32, n)
	for i, v := range stream(n, seed) {
		out[i] = float32(v)/(1<<23) - 1
	}
	return out
}

func floatBytes(v []float32) []byte {
	var out []byte
	for _, f := range v {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(f))
	}
	return out
}

var filterNamed = map[string]Filter{"box": BoxFilter, "bilinear": BilinearFilter, "bicubic": BicubicFilter,
	"lanczos": LanczosFilter}

// Expected bytes: Pillow 13.0.0 in two steps, testdata/make.py; in one it begins with the height of some.
func TestPillowEqualsPillow(t *testing.T) {
	for _, g := range readGoldens(t, "pillow.json") {
		src := randomPixels(g.SW, g.SH, g.Seed)
		before := bytes.Clone(src.Pix)
		g.check(t, Pillow(src, g.W, g.H, filterNamed[g.Op]).Pix)
		if !bytes.Equal(src.Pix, before) {
			t.Errorf("%v changed its source", g)
		}
	}
}

// Expected bytes: Pillow 13.0.0 in one step, testdata/make.py.
func TestPillow13EqualsPillow13(t *testing.T) {
	unlike := 0
	for _, g := range readGoldens(t, "pillow13.json") {
		src := randomPixels(g.SW, g.SH, g.Seed)
		got := Pillow13(src, g.W, g.H, filterNamed[g.Op])
		g.check(t, got.Pix)
		if !bytes.Equal(got.Pix, Pillow(src, g.W, g.H, filterNamed[g.Op]).Pix) {
			unlike++
		}
	}
	if unlike == 0 {
		t.Error("no case tells the versions apart")
	}
}

// Expected bytes: opencv-python-headless 5.0.0.93, testdata/make.py.
func TestCV2LinearEqualsOpenCV(t *testing.T) {
	for _, g := range readGoldens(t, "cv2.json") {
		g.check(t, CV2Linear(randomPixels(g.SW, g.SH, g.Seed), g.W, g.H).Pix)
	}
}

// Expected numbers: torch 2.15.0 with ATEN_CPU_CAPABILITY=default, testdata/make.py.
func TestFloatRulesEqualTorch(t *testing.T) {
	for _, g := range readGoldens(t, "torch.json") {
		src := randomNumbers(g.SW*g.SH*g.Channels, g.Seed)
		dst := make([]float32, g.W*g.H*g.Channels)
		switch g.Op {
		case "bilinear":
			BilinearCells(dst, g.W, g.H, src, g.SW, g.SH, g.Channels)
		case "bicubic":
			Bicubic(dst, g.W, g.H, src, g.SW, g.SH, g.Channels, g.StepX, g.StepY)
		case "bicubic-antialias":
			BicubicAntialias(dst, g.W, g.H, src, g.SW, g.SH, g.Channels)
		case "labels", "rule":
			continue
		default:
			t.Fatalf("%v is not known", g)
		}
		g.check(t, floatBytes(dst))
	}
}

// Expected labels: torch 2.15.0 as above, softmax in double precision, testdata/make.py,
// which also says the classes, scale and threshold.
func TestLabelsEqualTorch(t *testing.T) {
	rules := map[string]Rule{
		"labels": {},
		"rule":   {Classes: []int{0, 0, 1, 2, 2, 3, 3}, Scale: 4, Threshold: 0.6},
	}
	found := 0
	for _, g := range readGoldens(t, "torch.json") {
		rule, ok := rules[g.Op]
		if !ok {
			continue
		}
		found++
		dst := make([]uint16, g.W*g.H)
		rule.Decode(dst, g.W, g.H, randomNumbers(g.SW*g.SH*g.Channels, g.Seed), g.SW, g.SH, g.Channels)
		var b []byte
		for _, v := range dst {
			b = binary.LittleEndian.AppendUint16(b, v)
		}
		g.check(t, b)
	}
	if found == 0 {
		t.Error("torch.json has no labels")
	}
}
