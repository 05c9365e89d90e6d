package clip

import (
	"math"
	"strings"

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
	block := func(width int) func(string) Block {
		return func(p string) Block {
			mlp := 0
			if t := l.Any(p+".mlp.c_fc.weight", 2); l.Err() == nil {
				mlp = t.Shape[0]
			}
			qkv := l.Fused(p+".attn.in_proj_weight", p+".attn.in_proj_bias", width, width, "q", "k", "v")
			return Block{
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
		Tokens: tokens, Positions: l.Take("positional_embedding", m.Context, width),
		Blocks: weights.Blocks(l, "transformer.resblocks", block(width)), Final: l.Norm("ln_final", width),
		Proj: weights.Projection{Weight: l.Take("text_projection", width, m.Embed)},
	}
	m.Config.Text = tower(width, m.Text.Blocks)
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
	m.Kind, m.Patch = "vit", conv.Shape[2]
	m.Image = m.Patch * l.Side(vpos.Name, vpos.Shape[0]-1)
	m.Vision = &ViT{
		Conv: l.Take("visual.conv1.weight", w, 3, m.Patch, m.Patch), Class: l.Read("visual.class_embedding", w),
		Positions: l.Read("visual.positional_embedding", vpos.Shape[0], w),
		Pre:       l.Norm("visual.ln_pre", w), Post: l.Norm("visual.ln_post", w),
		Blocks: weights.Blocks(l, "visual.transformer.resblocks", block(w)),
		Proj:   weights.Projection{Weight: l.Take("visual.proj", w, m.Embed)},
	}
	m.Config.Vision = tower(w, m.Vision.Blocks)
}

// huggingFace places the tensors of transformers' CLIPModel.
func huggingFace(l *weights.Loader, m *Model) {
	block := func(width int) func(string) Block {
		return func(p string) Block {
			mlp := 0
			if t := l.Any(p+".mlp.fc1.weight", 2); l.Err() == nil {
				mlp = t.Shape[0]
			}
			attn := func(s string) weights.Linear { return l.Linear(p+".self_attn."+s, width, width) }
			return Block{
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
	m.Kind, m.Patch = "vit", conv.Shape[2]
	m.Vocab, m.Context, m.Embed = tokens.Shape[0], positions.Shape[0], proj.Shape[0]
	m.Image = m.Patch * l.Side(vpos.Name, vpos.Shape[0]-1)
	m.Text = Text{
		Tokens: tokens, Positions: l.Take(positions.Name, m.Context, width),
		Blocks: weights.Blocks(l, "text_model.encoder.layers", block(width)), Final: l.Norm("text_model.final_layer_norm", width),
		Proj: weights.Projection{Weight: l.Take("text_projection.weight", m.Embed, width), Transposed: true},
	}
	m.Vision = &ViT{
		Conv:  l.Take(conv.Name, w, 3, m.Patch, m.Patch),
		Class: l.Read("vision_model.embeddings.class_embedding", w), Positions: l.Read(vpos.Name, vpos.Shape[0], w),
		Pre: l.Norm("vision_model.pre_layrnorm", w), Post: l.Norm("vision_model.post_layernorm", w), // the typo is part of the name
		Blocks: weights.Blocks(l, "vision_model.encoder.layers", block(w)),
		Proj:   weights.Projection{Weight: l.Take("visual_projection.weight", m.Embed, w), Transposed: true},
	}
	m.Config.Text, m.Config.Vision = tower(width, m.Text.Blocks), tower(w, m.Vision.Blocks)
	logitScale(l, m)
}

// logitScale is 100, as trained models have it, where the checkpoint says nothing.
func logitScale(l *weights.Loader, m *Model) {
	if m.LogitScale = 100; l.Has("logit_scale") {
		m.LogitScale = math.Exp(l.Scalar("logit_scale"))
	}
}

// tower is the shape that blocks of width have.
func tower(width int, blocks []Block) Tower {
	t := Tower{Width: width, Layers: len(blocks)}
	if len(blocks) > 0 && len(blocks[0].Up.Bias.Shape) == 1 {
		t.MLP = blocks[0].Up.Bias.Shape[0]
	}
	return t
}
