// Package cliptest answers: where does a test get a CLIP of any shape?
//
// [Write] makes checkpoints of random weights in Hugging Face form. They compute like trained ones of
// their shape, which is all that speed, memory and equality need.
package cliptest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"ovbench/runners/checkpoint/checkpointtest"
)

// Shape is the architecture to make. Vision and Text give width, layers and heads.
type Shape struct {
	Image, Patch, Embed int
	Vision, Text        Tower
	Vocab               int
	Activation          string // quick_gelu unless set
	Context             int    // tokens of a text; 77 unless set
	// SigLIP gives the image tower a pool, both towers SigLIP's biases, and the image tower no class token: Embed is the
	// width.
	SigLIP bool
}

// Tower is one transformer.
type Tower struct{ Width, Layers, Heads int }

// ViTB16 is the shape of OpenAI's ViT-B/16.
var ViTB16 = Shape{Image: 224, Patch: 16, Embed: 512, Vision: Tower{768, 12, 12}, Text: Tower{512, 12, 8}, Vocab: 49408}

// ViTL14 is the shape of OpenAI's ViT-L/14@336px.
var ViTL14 = Shape{Image: 336, Patch: 14, Embed: 768, Vision: Tower{1024, 24, 16}, Text: Tower{768, 12, 12},
	Vocab: 49408}

// SigLIP2B16 is the shape of SigLIP 2's ViT-B/16 at fixed size.
var SigLIP2B16 = Shape{Image: 224, Patch: 16, Embed: 768, Vision: Tower{768, 12, 12}, Text: Tower{768, 12, 12},
	Vocab: 256000, Activation: "gelu_pytorch_tanh", Context: 64, SigLIP: true}

const contextLength = 77

// Write makes config.json and model.safetensors in dir from a seed.
func Write(dir string, s Shape, seed uint64) error {
	if s.Activation == "" {
		s.Activation = "quick_gelu"
	}
	s.Context = cmp.Or(s.Context, contextLength)
	class, model, eps := "clip", "CLIPModel", 1e-5
	if s.SigLIP {
		class, model, eps = "siglip", "SiglipModel", 1e-6
	}
	tower := func(t Tower, more map[string]any) map[string]any {
		c := map[string]any{
			"hidden_size": t.Width, "intermediate_size": 4 * t.Width, "num_hidden_layers": t.Layers,
			"num_attention_heads": t.Heads, "hidden_act": s.Activation, "layer_norm_eps": eps,
		}
		for k, v := range more {
			c[k] = v
		}
		return c
	}
	config, err := json.MarshalIndent(map[string]any{
		"model_type": class, "architectures": []string{model}, "projection_dim": s.Embed,
		"vision_config": tower(s.Vision, map[string]any{"image_size": s.Image, "patch_size": s.Patch}),
		"text_config": tower(s.Text, map[string]any{"vocab_size": s.Vocab, "max_position_embeddings": s.Context,
			"eos_token_id": s.Vocab - 1}),
	}, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o666); err != nil {
		return err
	}
	return checkpointtest.WriteSafetensors(filepath.Join(dir, "model.safetensors"), weights(s), seed)
}

// weights lists the tensors of a CLIPModel or SiglipModel.
func weights(s Shape) checkpointtest.List {
	out := checkpointtest.List{{Name: "logit_scale", Mean: math.Log(100)}}
	layers := func(prefix string, t Tower) {
		for i := range t.Layers {
			p := fmt.Sprintf("%s.encoder.layers.%d.", prefix, i)
			out.Norm(p+"layer_norm1", t.Width)
			out.Norm(p+"layer_norm2", t.Width)
			for _, n := range []string{"q_proj", "k_proj", "v_proj", "out_proj"} {
				out.Linear(p+"self_attn."+n, t.Width, t.Width)
			}
			out.Linear(p+"mlp.fc1", 4*t.Width, t.Width)
			out.Linear(p+"mlp.fc2", t.Width, 4*t.Width)
		}
	}
	v, t := s.Vision, s.Text
	grid := s.Image / s.Patch
	if s.SigLIP {
		out.Add("logit_bias", 0, 1)
		out.Add("vision_model.embeddings.patch_embedding.bias", 0.02, v.Width)
		out.Add("vision_model.embeddings.position_embedding.weight", 0.5, grid*grid, v.Width)
		out.Add("vision_model.head.probe", 1, 1, 1, v.Width)
		out.Add("vision_model.head.attention.in_proj_weight", 1/math.Sqrt(float64(v.Width)), 3*v.Width, v.Width)
		out.Add("vision_model.head.attention.in_proj_bias", 0.02, 3*v.Width)
		out.Linear("vision_model.head.attention.out_proj", v.Width, v.Width)
		out.Norm("vision_model.head.layernorm", v.Width)
		out.Linear("vision_model.head.mlp.fc1", 4*v.Width, v.Width)
		out.Linear("vision_model.head.mlp.fc2", v.Width, 4*v.Width)
		out.Linear("text_model.head", s.Embed, t.Width)
	} else {
		out.Add("vision_model.embeddings.class_embedding", 0.5, v.Width)
		out.Add("vision_model.embeddings.position_embedding.weight", 0.5, 1+grid*grid, v.Width)
		out.Norm("vision_model.pre_layrnorm", v.Width)
		out.Add("visual_projection.weight", 1/math.Sqrt(float64(v.Width)), s.Embed, v.Width)
		out.Add("text_projection.weight", 1/math.Sqrt(float64(t.Width)), s.Embed, t.Width)
	}
	out.Add("vision_model.embeddings.patch_embedding.weight", 1/math.Sqrt(float64(3*s.Patch*s.Patch)), v.Width, 3, s.Patch,
		s.Patch)
	layers("vision_model", v)
	out.Norm("vision_model.post_layernorm", v.Width)
	out.Add("text_model.embeddings.token_embedding.weight", 0.5, s.Vocab, t.Width)
	out.Add("text_model.embeddings.position_embedding.weight", 0.3, s.Context, t.Width)
	layers("text_model", t)
	out.Norm("text_model.final_layer_norm", t.Width)
	return out
}
