package sam

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ovbench/runners/checkpoint/checkpointtest"
	"ovbench/runners/ort"
	"ovbench/runners/resample"
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

// Masks of weights that hold NaN, or numbers too large, are refused, not drawn.
func TestNaN(t *testing.T) {
	lib := library(t)
	for _, name := range []string{"mask_decoder.iou_prediction_head.layers.0.weight", "image_encoder.neck.2.weight",
		"mask_decoder.output_hypernetworks_mlps.1.layers.0.weight"} {
		l := slices.Clone(samtest.Weights(samtest.Tiny))
		l[slices.IndexFunc(l, func(w checkpointtest.Weight) bool { return w.Name == name })].Std = nan
		s, err := Load(lib, write(t, l), ort.Options{})
		if err != nil {
			t.Fatal(err)
		}
		e, err := s.Embed(t.Context(), resample.FromNRGBA(gradient(40, 30)))
		if err == nil {
			_, err = s.Segment(t.Context(), e, Prompt{Points: []Point{{20, 15, true}}})
		}
		wantError(t, err, "NaN or infinity")
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Pixels are normalised as the directory of a model says, in either file and with every switch.
func TestNormalization(t *testing.T) {
	path := write(t, samtest.Weights(samtest.Tiny))
	dir := filepath.Dir(path)
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(path, filepath.Join(dir, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	put("config.json", `{"model_type": "sam", "mask_decoder_config": {"num_attention_heads": 2}}`)
	for _, c := range []struct {
		file, text string
		mean, std  float32
	}{
		{"preprocessor_config.json", `{}`, 123.675, 58.395},
		{"preprocessor_config.json", `{"image_mean": [0.5, 0.5, 0.5], "image_std": 0.25}`, 127.5, 63.75},
		{"preprocessor_config.json", `{"do_normalize": false}`, 0, 255},
		{"preprocessor_config.json", `{"do_normalize": false, "do_rescale": false}`, 0, 1},
		{"processor_config.json", `{"image_processor": {"image_mean": 0, "image_std": 1}}`, 0, 255},
	} {
		put(c.file, c.text)
		m, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if d := max(m.Mean[0]-c.mean, c.mean-m.Mean[0], m.Std[0]-c.std, c.std-m.Std[0]); d > 1e-4 {
			t.Errorf("%s: mean %v and deviation %v, want %v and %v", c.text, m.Mean, m.Std, c.mean, c.std)
		}
	}
	put("preprocessor_config.json", "{}")
	put("processor_config.json", `{"image_processor": {"image_std": 0}}`)
	_, err := Open(dir)
	wantError(t, err, "processor_config.json: std [0 0 0] is not positive")
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
