package clip

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/runners/vit"
)

// sparse writes a safetensors file of the given shapes, all f32, whose data are a hole.
func sparse(t *testing.T, shapes map[string][]int) string {
	t.Helper()
	entries := map[string]any{}
	at := 0
	for name, shape := range shapes {
		n := 4
		for _, d := range shape {
			n *= d
		}
		entries[name] = map[string]any{"dtype": "F32", "shape": append([]int{}, shape...), "data_offsets": []int{at, at + n}}
		at += n
	}
	header, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := os.WriteFile(path, append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...),
		0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(8+len(header)+at)); err != nil {
		t.Fatal(err)
	}
	return path
}

// textShapes are the tensors of OpenAI's text tower.
func textShapes(width, embed int) map[string][]int {
	s := map[string][]int{
		"token_embedding.weight": {49408, width}, "positional_embedding": {77, width},
		"ln_final.weight": {width}, "ln_final.bias": {width}, "text_projection": {width, embed}, "logit_scale": {},
	}
	blockShapes(s, "transformer", width, 12)
	return s
}

func blockShapes(s map[string][]int, tower string, w, layers int) {
	for i := range layers {
		p := fmt.Sprintf("%s.resblocks.%d.", tower, i)
		for name, shape := range map[string][]int{
			"attn.in_proj_weight": {3 * w, w}, "attn.in_proj_bias": {3 * w}, "attn.out_proj.weight": {w, w},
			"attn.out_proj.bias": {w},
			"ln_1.weight":        {w}, "ln_1.bias": {w}, "ln_2.weight": {w}, "ln_2.bias": {w},
			"mlp.c_fc.weight": {4 * w, w}, "mlp.c_fc.bias": {4 * w}, "mlp.c_proj.weight": {w, 4 * w}, "mlp.c_proj.bias": {w},
		} {
			s[p+name] = shape
		}
	}
}

func vitShapes(width, layers, patch, image, embed, text int) map[string][]int {
	s := textShapes(text, embed)
	g := image / patch
	for name, shape := range map[string][]int{
		"visual.class_embedding": {width}, "visual.positional_embedding": {1 + g*g, width}, "visual.conv1.weight": {width, 3,
			patch, patch},
		"visual.ln_pre.weight": {width}, "visual.ln_pre.bias": {width}, "visual.ln_post.weight": {width},
		"visual.ln_post.bias": {width},
		"visual.proj":         {width, embed},
	} {
		s[name] = shape
	}
	blockShapes(s, "visual.transformer", width, layers)
	return s
}

func resnetShapes(stages [4]int, width, image, embed, text int) map[string][]int {
	s := textShapes(text, embed)
	g, c := image/32, 32*width
	s["visual.attnpool.positional_embedding"] = []int{1 + g*g, c}
	for name, out := range map[string]int{"q_proj": c, "k_proj": c, "v_proj": c, "c_proj": embed} {
		s["visual.attnpool."+name+".weight"], s["visual.attnpool."+name+".bias"] = []int{out, c}, []int{out}
	}
	conv := func(name, bn string, out, in, k int) {
		s[name+".weight"] = []int{out, in, k, k}
		for _, p := range []string{".weight", ".bias", ".running_mean", ".running_var"} {
			s[bn+p] = []int{out}
		}
		s[bn+".num_batches_tracked"] = []int{}
	}
	conv("visual.conv1", "visual.bn1", width/2, 3, 3)
	conv("visual.conv2", "visual.bn2", width/2, width/2, 3)
	conv("visual.conv3", "visual.bn3", width, width/2, 3)
	in := width
	for i, blocks := range stages {
		planes := width << i
		for b := range blocks {
			p := fmt.Sprintf("visual.layer%d.%d.", i+1, b)
			conv(p+"conv1", p+"bn1", planes, in, 1)
			conv(p+"conv2", p+"bn2", planes, planes, 3)
			conv(p+"conv3", p+"bn3", 4*planes, planes, 1)
			if b == 0 {
				conv(p+"downsample.0", p+"downsample.1", 4*planes, in, 1)
			}
			in = 4 * planes
		}
	}
	return s
}

// The shapes of OpenAI's nine models, from the table in their repository's model card and loader.
func TestOpenAIShapes(t *testing.T) {
	for _, c := range []struct {
		shapes                          map[string][]int
		name                            string
		embed, image, heads, textHeads  int
		layers, textLayers, patch, grid int
	}{
		{vitShapes(768, 12, 32, 224, 512, 512), "ViT-B/32", 512, 224, 12, 8, 12, 12, 32, 7},
		{vitShapes(768, 12, 16, 224, 512, 512), "ViT-B/16", 512, 224, 12, 8, 12, 12, 16, 14},
		{vitShapes(1024, 24, 14, 224, 768, 768), "ViT-L/14", 768, 224, 16, 12, 24, 12, 14, 16},
		{vitShapes(1024, 24, 14, 336, 768, 768), "ViT-L/14@336px", 768, 336, 16, 12, 24, 12, 14, 24},
		{resnetShapes([4]int{3, 4, 6, 3}, 64, 224, 1024, 512), "RN50", 1024, 224, 32, 8, 0, 12, 32, 7},
		{resnetShapes([4]int{3, 4, 23, 3}, 64, 224, 512, 512), "RN101", 512, 224, 32, 8, 0, 12, 32, 7},
		{resnetShapes([4]int{4, 6, 10, 6}, 80, 288, 640, 640), "RN50x4", 640, 288, 40, 10, 0, 12, 32, 9},
		{resnetShapes([4]int{6, 8, 18, 8}, 96, 384, 768, 768), "RN50x16", 768, 384, 48, 12, 0, 12, 32, 12},
		{resnetShapes([4]int{3, 15, 36, 10}, 128, 448, 1024, 1024), "RN50x64", 1024, 448, 64, 16, 0, 12, 32, 14},
	} {
		m, err := Open(sparse(t, c.shapes))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		rows, _ := m.Grid(m.Image, m.Image)
		got := []any{m.Config.Name(), m.Embed, m.Image, m.Config.Vision.Heads, m.Config.Text.Heads, m.Config.Vision.Layers,
			m.Config.Text.Layers, m.Patch, rows}
		want := []any{c.name, c.embed, c.image, c.heads, c.textHeads, c.layers, c.textLayers, c.patch, c.grid}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		if m.Config.Text.Activation != vit.QuickGELU || len(m.Assumed) == 0 {
			t.Errorf("%s: activation %s, assumed %q: want quick_gelu, said to be assumed", c.name, m.Config.Text.Activation,
				m.Assumed)
		}
		if _, blocks := m.Encoder().(*ViT); blocks != strings.HasPrefix(c.name, "ViT") {
			t.Errorf("%s: a transformer: %v", c.name, blocks)
		}
	}
}

// What a checkpoint can get wrong, and what is said about it.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(map[string][]int)
		config     string
	}{
		{"missing tensor", "tensor visual.ln_post.bias is missing",
			func(s map[string][]int) { delete(s, "visual.ln_post.bias") }, ""},
		{"missing block", "block 1 of visual.transformer.resblocks is missing", func(s map[string][]int) {
			for name := range s {
				if strings.HasPrefix(name, "visual.transformer.resblocks.1.") {
					delete(s, name)
				}
			}
		}, ""},
		{"wrong shape", "tensor visual.proj has shape [16 9], want [16 8]",
			func(s map[string][]int) { s["visual.proj"] = []int{16, 9} }, ""},
		{"no square", "tensor visual.positional_embedding has 6 rows, want 1 + a square number",
			func(s map[string][]int) { s["visual.positional_embedding"] = []int{6, 16} }, ""},
		{"layer scale", "LayerScale is not supported",
			func(s map[string][]int) { s["visual.transformer.resblocks.0.ls_1.gamma"] = []int{16} }, ""},
		{"timm", "a timm image tower without an attention pool is not supported",
			func(s map[string][]int) { s["visual.trunk.patch_embed.weight"] = []int{1} }, ""},
		{"scaled attention", "normalised or scaled attention is not supported",
			func(s map[string][]int) { s["visual.transformer.resblocks.0.attn.logit_scale"] = []int{1} }, ""},
		{"attentional pooler", "an attentional pooler (CoCa) is not supported",
			func(s map[string][]int) { s["visual.attn_pool.query"] = []int{1} }, ""},
		{"no ln_pre", "an image tower without ln_pre is not supported", func(s map[string][]int) {
			delete(s, "visual.ln_pre.weight")
			delete(s, "visual.ln_pre.bias")
		}, ""},
		{"CoCa", "CoCa's text tower is not supported", func(s map[string][]int) { s["text.cls_emb"] = []int{1} }, ""},
		{"Hugging Face text", "a Hugging Face text tower inside open_clip is not supported",
			func(s map[string][]int) { s["text.transformer.embeddings.word_embeddings.weight"] = []int{1} }, ""},
		{"bias of patches", "a bias of the patch embedding is not supported",
			func(s map[string][]int) { s["visual.conv1.bias"] = []int{16} }, ""},
		{"bias of the projection", "tensor text_projection.bias has no place",
			func(s map[string][]int) { s["text_projection.bias"] = []int{8} }, ""},
		{"MobileCLIP", "neither CLIP's ViT nor its ResNet",
			func(s map[string][]int) { s["image_encoder.model.patch_emb.0.block.conv.weight"] = []int{1} }, ""},
		{"Long-CLIP", "tensor positional_embedding_res has no place",
			func(s map[string][]int) { s["positional_embedding_res"] = []int{77, 64} }, ""},
		{"Alpha-CLIP", "tensor visual.conv1_alpha.weight has no place",
			func(s map[string][]int) { s["visual.conv1_alpha.weight"] = []int{16, 1, 4, 4} }, ""},
		{"left over", "tensor visual.rope.freqs has no place in CLIP's architecture",
			func(s map[string][]int) { s["visual.rope.freqs"] = []int{1} }, ""},
		{"heads unknown", "image width 16 is no multiple of the usual head width 64: put the model's config.json or " +
			"open_clip_config.json beside", nil, ""},
		{"heads do not divide", "image width 16 cannot be split into the 3 heads", nil, `{"model_type":"clip","vision_config":{"num_attention_heads":3},"text_config":{}}`},
		{"other model's config", "it belongs to another model", nil, `{"model_type":"clip","vision_config":{"num_attention_heads":2,"hidden_size":768},"text_config":{}}`},
		{"other depth", "num_hidden_layers 9, and transformers computes no more", nil, `{"model_type":"clip","vision_config":{"num_attention_heads":2,"num_hidden_layers":9},"text_config":{}}`},
		{"activation", `hidden_act "gelu_new" is not supported`, nil, `{"model_type":"clip","vision_config":{"hidden_act":"gelu_new"},"text_config":{}}`},
		{"other type", `model_type "align" is not supported; ovbench reads clip, metaclip_2, siglip`, nil, `{"model_type":"align","vision_config":{},"text_config":{}}`},
		{"NaFlex", "SigLIP 2 of flexible size (NaFlex), which is not supported", nil, `{"model_type":"siglip2","vision_config":{},"text_config":{}}`},
		{"no head", "vision_use_head false is not supported", nil, `{"model_type":"siglip","vision_config":{"vision_use_head":false},"text_config":{}}`},
		{"broken config", "config.json: unexpected end of JSON input", nil, `{"vision_config":`},
		{"no clip", "tensor token_embedding.weight is missing: this is no CLIP checkpoint", func(s map[string][]int) {
			clear(s)
			s["x"] = []int{1}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			shapes := vitShapes(16, 3, 4, 8, 8, 64)
			if c.change != nil {
				c.change(shapes)
			}
			path := sparse(t, shapes)
			if c.config != "" {
				if err := os.WriteFile(filepath.Join(filepath.Dir(path), "config.json"), []byte(c.config), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Open(path)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v\nwant %s", err, c.want)
			}
		})
	}
}

// Adapters and prompts belong to what a model learned; without them its numbers are another model's.
func TestTrainedBesideWeights(t *testing.T) {
	for name, want := range map[string]string{
		"visual.transformer.resblocks.0.mlp.c_fc.lora_A.default.weight": "of a LoRA adapter that is not " +
			"merged; merge it",
		"base_model.model.text_model.encoder.layers.0.self_attn.q_proj.lora_up.weight": "of a LoRA adapter",
		"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight":                 "of a LoRA adapter",
		"model.vision_model.encoder.layers.0.self_attn.q_proj.base_layer.weight":       "of a LoRA adapter",
		"adapter.fc.0.weight":                            "of an adapter",
		"visual.transformer.resblocks.0.adaptmlp.weight": "of an adapter",
		"prompt_learner.ctx":                             "of learned prompts",
		"visual.transformer.resblocks.0.mlp.c_fc.SCB":    "of a weight of 8 or 4 bits",
	} {
		shapes := vitShapes(64, 3, 4, 8, 8, 64)
		shapes[name] = []int{1}
		if _, err := Open(sparse(t, shapes)); err == nil || !strings.Contains(err.Error(), "tensor "+name+" is "+want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// What transformers' files say: the older blocks of config.json go before the newer as a whole, with the defaults of
// their classes; the pixels' normalisation is in processor_config.json since version 5, and may be off.
func TestHuggingFaceConfig(t *testing.T) {
	const both = `{"model_type":"clip","vision_config":{"hidden_size":32,"num_attention_heads":2},"text_config":{"num_attention_heads":4,"hidden_act":"gelu"}`
	none := vit.Normalization{Std: [3]float32{1, 1, 1}}
	half := vit.Normalization{Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.5, 0.5, 0.5}}
	bytes := vit.Normalization{Mean: none.Mean, Std: [3]float32{1. / 255, 1. / 255, 1. / 255}}
	for _, c := range []struct {
		config, processor, preprocessor string
		want                            string
		pixels                          vit.Normalization
	}{
		{both + `}`, "", "", "heads 2, 4; quick_gelu, gelu", vit.CLIP},
		{"\ufeff" + both + `}`, "", "\ufeff" + `{"do_normalize":false}`, "heads 2, 4; quick_gelu, gelu", none},
		{both + `,"text_config_dict":null,"vision_config_dict":{"num_attention_heads":4,"hidden_act":"gelu","hidden_size":32}}`, "", "", "heads 4, 4; gelu, gelu", vit.CLIP},
		{both + `,"text_config_dict":{"projection_dim":8}}`, "", "", "heads 2, 8; quick_gelu, quick_gelu", vit.CLIP},
		{`{"vision_config_dict":{"num_attention_heads":2},"text_config_dict":{"num_attention_heads":2,"hidden_act":"gelu"}}`, "", "", "heads 2, 2; quick_gelu, gelu", vit.CLIP},
		{both + `,"text_config_dict":{"num_attention_heads":-1}}`, "", "", "text_config: num_attention_heads -1 is not positive", vit.CLIP},
		{both + `}`, `{"image_processor":{"image_mean":[0.5,0.5,0.5],"image_std":0.5}}`, `{"image_mean":[0,0,0],"image_std":[1,1,1]}`, "heads 2, 4", half},
		{both + `}`, `{"processor_class":"CLIPProcessor"}`, `{"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5]}`, "heads 2, 4", half},
		{both + `}`, `{"image_processor":{"do_normalize":false,"image_mean":[0.5,0.5,0.5]}}`, "", "heads 2, 4", none},
		{both + `}`, "", `{"do_normalize":false}`, "heads 2, 4", none},
		{both + `}`, "", `{"do_normalize":false,"do_rescale":false}`, "heads 2, 4", bytes},
		{both + `}`, "", `{"do_normalize":true,"rescale_factor":0.00392156862745098}`, "heads 2, 4", vit.CLIP},
		{both + `}`, "", `{"image_processor_type":"SiglipImageProcessor"}`, "heads 2, 4", half},
		{both + `}`, "", `{"image_mean":[0.5]}`, "image_mean [0.5] and image_std [] are not of three channels", half},
	} {
		path := sparse(t, vitShapes(32, 3, 4, 8, 8, 64))
		for name, text := range map[string]string{"config.json": c.config, "processor_config.json": c.processor,
			"preprocessor_config.json": c.preprocessor} {
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(text), 0o600); text != "" && err != nil {
				t.Fatal(err)
			} else if text == "" {
				os.Remove(filepath.Join(filepath.Dir(path), name))
			}
		}
		m, err := Open(path)
		got := fmt.Sprint(err)
		if err == nil {
			v, x := m.Config.Vision, m.Config.Text
			got = fmt.Sprintf("heads %d, %d; %s, %s", v.Heads, x.Heads, v.Activation, x.Activation)
			if m.Pixels != c.pixels {
				t.Errorf("%s%s%s\npixels %v, want %v", c.config, c.processor, c.preprocessor, m.Pixels, c.pixels)
			}
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s%s%s\ngives %s\nwant  %s", c.config, c.processor, c.preprocessor, got, c.want)
		}
	}
}

// What open_clip's configuration can say.
func TestOpenCLIPConfig(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{`{"model_cfg":{"embed_dim":8,"vision_cfg":{"image_size":8,"width":32,"head_width":16},"text_cfg":{"heads":4}}}`, "heads 2, 4; gelu, gelu"},
		{`{"model_cfg":{"quick_gelu":true,"vision_cfg":{"width":32,"head_width":8},"text_cfg":{"heads":2}}}`, "heads 4, 2; quick_gelu, quick_gelu"},
		{`{"model_cfg":{"vision_cfg":{"width":32,"head_width":8,"patch_dropout":0.5,"pool_type":"tok"},"text_cfg":{"pool_type":"argmax","act_kwargs":{}}}}`, "heads 4, 8; gelu, gelu"},
		{`{"model_cfg":{"vision_cfg":{"width":32},"text_cfg":{}}}`, "image width 32 cannot be split into heads of 64"},
		{`{"model_cfg":{"vision_cfg":{"width":768,"head_width":8},"text_cfg":{}}}`, "it belongs to another model"},
		{`{"model_cfg":{"vision_cfg":{"timm_model_name":"vit_so400m"},"text_cfg":{}}}`, `timm image tower "vit_so400m" is not supported`},
		{`{"model_cfg":{"vision_cfg":{},"text_cfg":{"hf_model_name":"xlm-roberta-base"}}}`, `text tower "xlm-roberta-base" is not supported`},
		{`{"model_cfg":{"vision_cfg":{"final_ln_after_pool":true},"text_cfg":{}}}`, "vision_cfg: final_ln_after_pool is not supported"},
		{`{"model_cfg":{"vision_cfg":{"pool_type":"avg"},"text_cfg":{}}}`, "vision_cfg: pool_type avg is not supported"},
		{`{"model_cfg":{"vision_cfg":{},"text_cfg":{"no_causal_mask":true}}}`, "text_cfg: no_causal_mask without pool_type last is not supported"},
		{`{"model_cfg":{"vision_cfg":{"act_kwargs":{"approximate":"fast"}},"text_cfg":{}}}`, "vision_cfg: act_kwargs.approximate fast is not supported"},
		{`{"model_cfg":{"vision_cfg":{"timm_model_name":"vit_so400m_patch14_siglip_gap_224"},"text_cfg":{}}}`, "is not supported; of timm's ovbench reads SigLIP (with its pool) and PE-Core"},
	} {
		path := sparse(t, vitShapes(32, 3, 4, 8, 8, 64))
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "open_clip_config.json"), []byte(c.config),
			0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Open(path)
		got := fmt.Sprint(err)
		if err == nil {
			v, x := m.Config.Vision, m.Config.Text
			got = fmt.Sprintf("heads %d, %d; %s, %s", v.Heads, x.Heads, v.Activation, x.Activation)
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s\ngives %s\nwant  %s", c.config, got, c.want)
		}
	}
}

// The larger image towers of open_clip have 16 heads of 80, 88, 104 or 112; of a shape nobody has published the heads
// are not guessed.
func TestLargeTowers(t *testing.T) {
	for _, c := range []struct {
		width, layers, patch, text int
		want                       string
	}{
		{1280, 32, 14, 1024, "ViT-H/14: heads 16, 16"},
		{1664, 48, 14, 1280, "ViT-bigG/14: heads 16, 20"},
		{1408, 40, 14, 1024, "ViT-g/14: heads 16, 16"},
		{896, 12, 16, 640, "ViT width 896 depth 12 patch 16: heads 14, 10"},
		{1280, 24, 14, 1024, "the heads of an image tower of width 1280 and depth 24 are not known: put"},
	} {
		m, err := Open(sparse(t, vitShapes(c.width, c.layers, c.patch, 14*c.patch, 1024, c.text)))
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprintf("%s: heads %d, %d", m.Name(), m.Config.Vision.Heads, m.Config.Text.Heads)
		}
		if !strings.Contains(strings.ReplaceAll(got, "@196px", ""), c.want) {
			t.Errorf("width %d: %s, want %s", c.width, got, c.want)
		}
	}
}
