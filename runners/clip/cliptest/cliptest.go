// Package cliptest answers: where does a test get a CLIP of any shape?
//
// [Write] makes checkpoints of random weights in Hugging Face form. They compute like trained ones of
// their shape, which is all that speed, memory and equality need.
package cliptest

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Shape is the architecture to make. Vision and Text give width, layers and heads.
type Shape struct {
	Image, Patch, Embed int
	Vision, Text        Tower
	Vocab               int
	Activation          string // quick_gelu unless set
}

// Tower is one transformer.
type Tower struct{ Width, Layers, Heads int }

// ViTB16 is the shape of OpenAI's ViT-B/16.
var ViTB16 = Shape{Image: 224, Patch: 16, Embed: 512, Vision: Tower{768, 12, 12}, Text: Tower{512, 12, 8}, Vocab: 49408}

// ViTL14 is the shape of OpenAI's ViT-L/14@336px.
var ViTL14 = Shape{Image: 336, Patch: 14, Embed: 768, Vision: Tower{1024, 24, 16}, Text: Tower{768, 12, 12}, Vocab: 49408}

const contextLength = 77

type weight struct {
	name  string
	shape []int
	mean  float32
	std   float64
}

// Write makes config.json and model.safetensors in dir from a seed.
func Write(dir string, s Shape, seed uint64) error {
	if s.Activation == "" {
		s.Activation = "quick_gelu"
	}
	tower := func(t Tower, more map[string]any) map[string]any {
		c := map[string]any{
			"hidden_size": t.Width, "intermediate_size": 4 * t.Width, "num_hidden_layers": t.Layers,
			"num_attention_heads": t.Heads, "hidden_act": s.Activation, "layer_norm_eps": 1e-5,
		}
		for k, v := range more {
			c[k] = v
		}
		return c
	}
	config, err := json.MarshalIndent(map[string]any{
		"model_type": "clip", "architectures": []string{"CLIPModel"}, "projection_dim": s.Embed,
		"vision_config": tower(s.Vision, map[string]any{"image_size": s.Image, "patch_size": s.Patch}),
		"text_config":   tower(s.Text, map[string]any{"vocab_size": s.Vocab, "max_position_embeddings": contextLength, "eos_token_id": s.Vocab - 1}),
	}, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o666); err != nil {
		return err
	}
	return writeSafetensors(filepath.Join(dir, "model.safetensors"), weights(s), rand.New(rand.NewPCG(seed, 1)))
}

// weights lists the tensors of a CLIPModel.
func weights(s Shape) []weight {
	out := []weight{{"logit_scale", nil, float32(math.Log(100)), 0}}
	add := func(name string, std float64, shape ...int) {
		out = append(out, weight{name, shape, 0, std})
	}
	norm := func(name string, w int) {
		out = append(out, weight{name + ".weight", []int{w}, 1, 0.1}, weight{name + ".bias", []int{w}, 0, 0.1})
	}
	linear := func(name string, o, i int) {
		add(name+".weight", 1/math.Sqrt(float64(i)), o, i)
		add(name+".bias", 0.02, o)
	}
	layers := func(prefix string, t Tower) {
		for i := range t.Layers {
			p := fmt.Sprintf("%s.encoder.layers.%d.", prefix, i)
			norm(p+"layer_norm1", t.Width)
			norm(p+"layer_norm2", t.Width)
			for _, n := range []string{"q_proj", "k_proj", "v_proj", "out_proj"} {
				linear(p+"self_attn."+n, t.Width, t.Width)
			}
			linear(p+"mlp.fc1", 4*t.Width, t.Width)
			linear(p+"mlp.fc2", t.Width, 4*t.Width)
		}
	}
	v, t := s.Vision, s.Text
	grid := s.Image / s.Patch
	add("vision_model.embeddings.class_embedding", 0.5, v.Width)
	add("vision_model.embeddings.patch_embedding.weight", 1/math.Sqrt(float64(3*s.Patch*s.Patch)), v.Width, 3, s.Patch, s.Patch)
	add("vision_model.embeddings.position_embedding.weight", 0.5, 1+grid*grid, v.Width)
	norm("vision_model.pre_layrnorm", v.Width)
	layers("vision_model", v)
	norm("vision_model.post_layernorm", v.Width)
	add("visual_projection.weight", 1/math.Sqrt(float64(v.Width)), s.Embed, v.Width)
	add("text_model.embeddings.token_embedding.weight", 0.5, s.Vocab, t.Width)
	add("text_model.embeddings.position_embedding.weight", 0.3, contextLength, t.Width)
	layers("text_model", t)
	norm("text_model.final_layer_norm", t.Width)
	add("text_projection.weight", 1/math.Sqrt(float64(t.Width)), s.Embed, t.Width)
	return out
}

func writeSafetensors(path string, ws []weight, rng *rand.Rand) error {
	type entry struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	entries := map[string]entry{}
	at := 0
	for _, w := range ws {
		n := 4
		for _, d := range w.shape {
			n *= d
		}
		entries[w.name] = entry{"F32", append([]int{}, w.shape...), [2]int{at, at + n}}
		at += n
	}
	header, err := json.Marshal(entries)
	if err != nil {
		return err
	}
	for len(header)%8 != 0 {
		header = append(header, ' ')
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	out := bufio.NewWriterSize(f, 1<<20)
	out.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header))))
	out.Write(header)
	// Uniform numbers of the wanted deviation: as good as normal ones here, and faster to draw.
	var b []byte
	for _, w := range ws {
		n := 1
		for _, d := range w.shape {
			n *= d
		}
		width := float32(w.std * math.Sqrt(12))
		for range n {
			b = binary.LittleEndian.AppendUint32(b[:0], math.Float32bits(w.mean+(rng.Float32()-0.5)*width))
			out.Write(b)
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return f.Close()
}
