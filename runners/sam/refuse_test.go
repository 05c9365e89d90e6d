package sam

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ovbench/runners/checkpoint/checkpointtest"
	"ovbench/runners/ort"
	"ovbench/runners/sam/samtest"
)

// write makes a checkpoint of weights.
func write(t testing.TB, l checkpointtest.List) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sam.safetensors")
	if err := checkpointtest.WriteSafetensors(path, l, 1); err != nil {
		t.Fatal(err)
	}
	return path
}

var nan = math.NaN()

func wantError(t *testing.T, err error, part string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("error %v, want one with %q", err, part)
	}
}

// Relatives of SAM and models of other kinds are refused by name. The tensors are those of the released files.
func TestRelatives(t *testing.T) {
	for name, want := range map[string]string{
		"mask_decoder.hf_token.weight":                    "SAM-HQ",
		"sam_mask_decoder.iou_token.weight":               "SAM 2",
		"image_encoder.trunk.pos_embed":                   "SAM 2",
		"prompt_encoder.bbox_top_left_embeddings.weight":  "EfficientSAM",
		"image_encoder.layers.0.blocks.0.conv1.c.weight":  "MobileSAM",
		"visual.conv1.weight":                             "this is a CLIP model",
		"image_encoder.blocks.0.MLP_Adapter.D_fc1.weight": "SAM with adapters",
		"image_encoder.blocks.0.norm9.weight":             "has no place in SAM's architecture",
		"model.0.conv.weight":                             "FastSAM",
	} {
		l := samtest.Weights(samtest.Tiny)
		l.Add(name, 1, 3)
		_, err := Open(write(t, l))
		wantError(t, err, want)
	}
	_, err := Open(write(t, checkpointtest.List{{Name: "fc.weight", Shape: []int{2, 2}, Std: 1}}))
	wantError(t, err, "tensor image_encoder.pos_embed is missing: this is no SAM checkpoint")
	_, err = Load(nil, "sam.onnx", ort.Options{})
	wantError(t, err, "give encoder.onnx,decoder.onnx")
}

// Whatever shapes a file claims for whichever tensor, Open says yes or no, and what it accepts can be built.
func TestHostileShapes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := slices.Clone(samtest.Weights(samtest.Tiny))
		for range rapid.IntRange(1, 3).Draw(rt, "changes") {
			i := rapid.IntRange(0, len(l)-1).Draw(rt, "tensor")
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0:
				l = slices.Delete(l, i, i+1)
			case 1:
				l[i].Shape = rapid.SliceOfN(rapid.IntRange(0, 40), 0, 4).Draw(rt, "shape")
			case 2:
				if len(l[i].Shape) == 0 {
					continue
				}
				l[i].Shape = slices.Clone(l[i].Shape)
				l[i].Shape[rapid.IntRange(0, len(l[i].Shape)-1).Draw(rt, "axis")] = rapid.IntRange(0, 70).Draw(rt, "size")
			case 3:
				l[i].Name = l[rapid.IntRange(0, len(l)-1).Draw(rt, "name")].Name
			}
		}
		m, err := Open(write(t, l))
		if err != nil {
			return
		}
		m.EncoderGraph()
		m.DecoderGraph()
		m.MaskGraph(false)
	})
}

// A prompt that cannot be meant is refused, and one at the edges is not.
func TestPromptCheck(t *testing.T) {
	for _, c := range []struct {
		want   string
		prompt Prompt
	}{
		{"", Prompt{Points: []Point{{0, 0, true}, {200, 150, false}}}},
		{"", Prompt{Box: &Box{0, 0, 200, 150}}},
		{"neither points nor a box", Prompt{}},
		{"neither points nor a box", Prompt{Mask: make([]float32, 4)}},
		{"point (201, 3) lies outside of the picture, which has 200 x 150 pixels", Prompt{Points: []Point{{201, 3, true}}}},
		{"lies outside", Prompt{Points: []Point{{1, -1, false}}}},
		{"lies outside", Prompt{Points: []Point{{nan, 1, true}}}},
		{"want x0 < x1", Prompt{Box: &Box{10, 10, 10, 20}}},
		{"want x0 < x1", Prompt{Box: &Box{20, 10, 10, 20}}},
		{"inside of the picture", Prompt{Box: &Box{0, 0, 201, 20}}},
		{"want x0 < x1", Prompt{Box: &Box{nan, 0, 20, 20}}},
		{"points; at most", Prompt{Points: make([]Point, maxPoints+1)}},
	} {
		err := c.prompt.Check(200, 150)
		if c.want == "" && err != nil {
			t.Errorf("%+v: %v", c.prompt, err)
		} else if c.want != "" {
			wantError(t, err, c.want)
		}
	}
}

// Pictures of any shape find a place in the input, or are refused where nothing is left of their shorter side.
func TestFrame(t *testing.T) {
	// As ResizeLongestSide of segment-anything rounds: int(side·scale + 0.5).
	for _, c := range []struct{ w, h, width, height int }{
		{1, 1000, 1, 1024}, {8000, 6000, 1024, 768}, {200, 150, 1024, 768}, {333, 1024, 333, 1024}, {1, 1, 1024, 1024},
		{3, 2048, 2, 1024}, {1, 2048, 1, 1024},
	} {
		f, err := newFrame(c.w, c.h, 1024)
		if err != nil || f.width != c.width || f.height != c.height {
			t.Errorf("%dx%d becomes %dx%d (%v), want %dx%d", c.w, c.h, f.width, f.height, err, c.width, c.height)
		}
	}
	_, err := newFrame(1, 5000, 1024)
	wantError(t, err, "has no shorter side left")
}
