package cliptest

import (
	"fmt"
	"math"
	"path/filepath"

	"ovbench/runners/checkpoint/checkpointtest"
)

// PECoreB16 is the shape of PE-Core's ViT-B/16.
var PECoreB16 = Shape{Image: 224, Patch: 16, Embed: 1024, Vision: Tower{768, 12, 12}, Text: Tower{1024, 24, 16},
	Vocab: 49408, Context: 32}

// WritePECore makes model.safetensors in dir from a seed, under Meta's names, and returns its path. Heads are 64 wide.
func WritePECore(dir string, s Shape, seed uint64) (string, error) {
	path := filepath.Join(dir, "model.safetensors")
	w, grid := s.Vision.Width, s.Image/s.Patch
	out := checkpointtest.List{{Name: "logit_scale", Mean: math.Log(100)}}
	out.Add("visual.conv1.weight", 1/math.Sqrt(float64(3*s.Patch*s.Patch)), w, 3, s.Patch, s.Patch)
	out.Add("visual.class_embedding", 0.5, w)
	out.Add("visual.positional_embedding", 0.5, 1+grid*grid, w)
	out.Norm("visual.ln_pre", w)
	resblocks(&out, "visual.transformer", s.Vision)
	out.Norm("visual.ln_post", w)
	out.Add("visual.attn_pool.probe", 1, 1, 1, w)
	attention(&out, "visual.attn_pool.", w)
	out.Norm("visual.attn_pool.layernorm", w)
	out.Add("visual.proj", 1/math.Sqrt(float64(w)), w, s.Embed)
	out = append(out, openAIText(s.Text, s.Vocab, s.Context, s.Embed)...)
	return path, checkpointtest.WriteSafetensors(path, out, seed)
}

// openAIText lists the tensors of a text tower under OpenAI's names.
func openAIText(t Tower, vocab, context, embed int) checkpointtest.List {
	var out checkpointtest.List
	out.Add("token_embedding.weight", 0.5, vocab, t.Width)
	out.Add("positional_embedding", 0.3, context, t.Width)
	out.Norm("ln_final", t.Width)
	out.Add("text_projection", 1/math.Sqrt(float64(t.Width)), t.Width, embed)
	resblocks(&out, "transformer", t)
	return out
}

// resblocks adds the blocks of a transformer.
func resblocks(out *checkpointtest.List, prefix string, t Tower) {
	for i := range t.Layers {
		p := fmt.Sprintf("%s.resblocks.%d.", prefix, i)
		out.Norm(p+"ln_1", t.Width)
		out.Norm(p+"ln_2", t.Width)
		attention(out, p, t.Width)
	}
}

// attention adds multi-head attention and an MLP of width w.
func attention(out *checkpointtest.List, prefix string, w int) {
	out.Add(prefix+"attn.in_proj_weight", 1/math.Sqrt(float64(w)), 3*w, w)
	out.Add(prefix+"attn.in_proj_bias", 0.02, 3*w)
	out.Linear(prefix+"attn.out_proj", w, w)
	out.Linear(prefix+"mlp.c_fc", 4*w, w)
	out.Linear(prefix+"mlp.c_proj", w, 4*w)
}
