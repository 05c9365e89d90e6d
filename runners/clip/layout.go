package clip

import (
	"math"
	"strings"

	"ovbench/runners/vit"
	"ovbench/runners/weights"
)

// landmarks are tensors that tell where in a checkpoint the model is: the first layer of the image tower.
var landmarks = []string{"visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"}

// unwrap finds the model in what was built around it, and gives open_clip's CustomTextCLIP the names of CLIP.
func unwrap(l *weights.Loader) {
	l.Unwrap(landmarks, []string{"logit_scale"})
	if l.Has("text.token_embedding.weight") {
		l.Rename(func(name string) string { return strings.TrimPrefix(name, "text.") })
	}
}

// openAI places the tensors of OpenAI's and open_clip's naming.
func openAI(l *weights.Loader, m *Model) {
	block := func(width int) func(string) vit.Block {
		return func(p string) vit.Block {
			mlp := 0
			if t := l.Any(p+".mlp.c_fc.weight", 2); l.Err() == nil {
				mlp = t.Shape[0]
			}
			qkv := l.Fused(p+".attn.in_proj_weight", p+".attn.in_proj_bias", width, width, "q", "k", "v")
			return vit.Block{
				LN1: l.Norm(p+".ln_1", width), LN2: l.Norm(p+".ln_2", width),
				Q: qkv[0], K: qkv[1], V: qkv[2], Out: l.Linear(p+".attn.out_proj", width, width),
				Up: l.Linear(p+".mlp.c_fc", mlp, width), Down: l.Linear(p+".mlp.c_proj", width, mlp),
			}
		}
	}
	tokens := l.Any("token_embedding.weight", 2)
	positions := l.Any("positional_embedding", 2)
	proj := l.Any("text_projection", 2)
	if l.Err() != nil {
		return
	}
	width := tokens.Shape[1]
	m.Vocab, m.Context, m.Embed = tokens.Shape[0], positions.Shape[0], proj.Shape[1]
	m.Text = Text{
		Transformer: transformer(width, weights.Blocks(l, "transformer.resblocks", block(width))),
		Tokens:      tokens, Positions: l.Take("positional_embedding", m.Context, width), Final: l.Norm("ln_final", width),
		Proj: weights.Projection{Weight: l.Take("text_projection", width, m.Embed)},
	}
	logitScale(l, m)
	if l.Has("visual.attnpool.positional_embedding") {
		loadResNet(l, m)
		return
	}
	conv := l.Any("visual.conv1.weight", 4)
	vpos := l.Any("visual.positional_embedding", 2)
	if l.Err() != nil {
		return
	}
	w := conv.Shape[0]
	m.Patch = conv.Shape[2]
	m.Image = m.Patch * l.Side(vpos.Name, vpos.Shape[0]-1)
	pre := l.Norm("visual.ln_pre", w)
	m.encoder = &ViT{
		Tower: vit.Tower{
			Transformer: transformer(w, weights.Blocks(l, "visual.transformer.resblocks", block(w))), Patch: m.Patch,
			Conv:  weights.Linear{Weight: l.Take("visual.conv1.weight", w, 3, m.Patch, m.Patch)},
			Class: l.Read("visual.class_embedding", w), Positions: l.Read("visual.positional_embedding", vpos.Shape[0], w),
			Pre: &pre, Post: l.Norm("visual.ln_post", w),
		},
		Proj: weights.Projection{Weight: l.Take("visual.proj", w, m.Embed)},
	}
}

// huggingFace places the tensors of transformers' CLIPModel.
func huggingFace(l *weights.Loader, m *Model) {
	block := func(width int) func(string) vit.Block {
		return func(p string) vit.Block {
			mlp := 0
			if t := l.Any(p+".mlp.fc1.weight", 2); l.Err() == nil {
				mlp = t.Shape[0]
			}
			attn := func(s string) weights.Linear { return l.Linear(p+".self_attn."+s, width, width) }
			return vit.Block{
				LN1: l.Norm(p+".layer_norm1", width), LN2: l.Norm(p+".layer_norm2", width),
				Q: attn("q_proj"), K: attn("k_proj"), V: attn("v_proj"), Out: attn("out_proj"),
				Up: l.Linear(p+".mlp.fc1", mlp, width), Down: l.Linear(p+".mlp.fc2", width, mlp),
			}
		}
	}
	tokens := l.Any("text_model.embeddings.token_embedding.weight", 2)
	positions := l.Any("text_model.embeddings.position_embedding.weight", 2)
	proj := l.Any("text_projection.weight", 2)
	conv := l.Any("vision_model.embeddings.patch_embedding.weight", 4)
	vpos := l.Any("vision_model.embeddings.position_embedding.weight", 2)
	if l.Err() != nil {
		return
	}
	width, w := tokens.Shape[1], conv.Shape[0]
	m.Patch = conv.Shape[2]
	m.Vocab, m.Context, m.Embed = tokens.Shape[0], positions.Shape[0], proj.Shape[0]
	m.Image = m.Patch * l.Side(vpos.Name, vpos.Shape[0]-1)
	m.Text = Text{
		Transformer: transformer(width, weights.Blocks(l, "text_model.encoder.layers", block(width))),
		Tokens:      tokens, Positions: l.Take(positions.Name, m.Context, width), Final: l.Norm("text_model.final_layer_norm", width),
		Proj: weights.Projection{Weight: l.Take("text_projection.weight", m.Embed, width), Transposed: true},
	}
	pre := l.Norm("vision_model.pre_layrnorm", w) // the typo is part of the name
	m.encoder = &ViT{
		Tower: vit.Tower{
			Transformer: transformer(w, weights.Blocks(l, "vision_model.encoder.layers", block(w))), Patch: m.Patch,
			Conv:  weights.Linear{Weight: l.Take(conv.Name, w, 3, m.Patch, m.Patch)},
			Class: l.Read("vision_model.embeddings.class_embedding", w), Positions: l.Read(vpos.Name, vpos.Shape[0], w),
			Pre: &pre, Post: l.Norm("vision_model.post_layernorm", w),
		},
		Proj: weights.Projection{Weight: l.Take("visual_projection.weight", m.Embed, w), Transposed: true},
	}
	logitScale(l, m)
}

// logitScale is 100, as trained models have it, where the checkpoint says nothing.
func logitScale(l *weights.Loader, m *Model) {
	if m.LogitScale = 100; l.Has("logit_scale") {
		m.LogitScale = math.Exp(l.Scalar("logit_scale"))
	}
}

// transformer is what blocks of width make; what shapes cannot tell is filled in later.
func transformer(width int, blocks []vit.Block) vit.Transformer {
	s := vit.Shape{Width: width, Layers: len(blocks)}
	if len(blocks) > 0 && len(blocks[0].Up.Bias.Shape) == 1 {
		s.MLP = blocks[0].Up.Bias.Shape[0]
	}
	return vit.Transformer{Shape: s, Blocks: blocks}
}
