package clip

import (
	"math"
	"strings"

	"ovbench/runners/tensor"
	"ovbench/runners/vit"
	"ovbench/runners/weights"
)

// blockNames are what a library calls the parts of a transformer block. Queries, keys and values are one tensor or
// three.
type blockNames struct {
	ln1, ln2, weight, bias, q, k, v, out, up, down string
}

// towerNames are what a library calls the parts of an image tower. Any but conv, positions, blocks and post may be
// absent.
type towerNames struct {
	conv, class, positions, pre, blocks, post, proj string
	block                                           blockNames
	pool                                            func(l *weights.Loader, width int) *vit.Pool // nil if there is none
}

// textNames are what a library calls the parts of a text tower.
type textNames struct {
	tokens, positions, blocks, final string
	projs                            []string // one of them is there, or none
	block                            blockNames
}

var (
	openAIBlock = blockNames{
		ln1: "ln_1", ln2: "ln_2", weight: "attn.in_proj_weight", bias: "attn.in_proj_bias", out: "attn.out_proj",
		up: "mlp.c_fc", down: "mlp.c_proj",
	}
	huggingFaceBlock = blockNames{
		ln1: "layer_norm1", ln2: "layer_norm2", q: "self_attn.q_proj", k: "self_attn.k_proj", v: "self_attn.v_proj",
		out: "self_attn.out_proj",
		up:  "mlp.fc1", down: "mlp.fc2",
	}
	timmBlock = blockNames{
		ln1: "norm1", ln2: "norm2", weight: "attn.qkv.weight", bias: "attn.qkv.bias", out: "attn.proj", up: "mlp.fc1",
		down: "mlp.fc2",
	}

	openAITower = towerNames{
		conv: "visual.conv1", class: "visual.class_embedding", positions: "visual.positional_embedding", pre: "visual.ln_pre",
		blocks: "visual.transformer.resblocks", post: "visual.ln_post", proj: "visual.proj", block: openAIBlock,
		pool: metaPool,
	}
	huggingFaceTower = towerNames{
		conv: "vision_model.embeddings.patch_embedding", class: "vision_model.embeddings.class_embedding",
		positions: "vision_model.embeddings.position_embedding.weight", pre: "vision_model.pre_layrnorm",
		// the typo is part of the name
		blocks: "vision_model.encoder.layers", post: "vision_model.post_layernorm", proj: "visual_projection",
		block: huggingFaceBlock,
		pool:  huggingFacePool,
	}
	timmTower = towerNames{
		conv: "visual.trunk.patch_embed.proj", class: "visual.trunk.cls_token", positions: "visual.trunk.pos_embed",
		pre:    "visual.trunk.norm_pre",
		blocks: "visual.trunk.blocks", post: "visual.trunk.norm", proj: "visual.trunk.head", block: timmBlock, pool: timmPool,
	}

	openAIText = textNames{
		tokens: "token_embedding.weight", positions: "positional_embedding", blocks: "transformer.resblocks",
		final: "ln_final",
		projs: []string{"text_projection"}, block: openAIBlock,
	}
	huggingFaceText = textNames{
		tokens: "text_model.embeddings.token_embedding.weight", positions: "text_model.embeddings.position_embedding.weight",
		blocks: "text_model.encoder.layers", final: "text_model.final_layer_norm", projs: []string{"text_projection",
			"text_model.head"},
		block: huggingFaceBlock,
	}
)

// landmarks are tensors that tell where in a checkpoint the model is: the first layer of the image tower.
var landmarks = []string{"visual.conv1.weight", huggingFaceTower.conv + ".weight", timmTower.conv + ".weight"}

// unwrap finds the model in what was built around it, and gives open_clip's CustomTextCLIP the names of CLIP.
func unwrap(l *weights.Loader) {
	l.Unwrap(landmarks, []string{"logit_scale", "logit_bias"})
	if l.Has("text.token_embedding.weight") {
		l.Rename(func(name string) string { return strings.TrimPrefix(name, "text.") })
	}
}

// place gives the tensors of a checkpoint their places, by the names of the library that wrote it.
func place(l *weights.Loader, m *Model) {
	tower, text := openAITower, openAIText
	switch {
	case l.Has(huggingFaceTower.conv + ".weight"):
		tower, text = huggingFaceTower, huggingFaceText
	case l.Has(timmTower.conv + ".weight"):
		tower = timmTower
	}
	loadText(l, m, text)
	logits(l, m)
	if l.Has("visual.attnpool.positional_embedding") {
		loadResNet(l, m)
	} else {
		loadTower(l, m, tower)
	}
}

func (n blockNames) load(l *weights.Loader, width int) func(string) vit.Block {
	return func(p string) vit.Block {
		p += "."
		mlp := 0
		if t := l.Any(p+n.up+".weight", 2); l.Err() == nil {
			mlp = t.Shape[0]
		}
		b := vit.Block{
			LN1: l.Norm(p+n.ln1, width), LN2: l.Norm(p+n.ln2, width), Out: l.Linear(p+n.out, width, width),
			Up: l.Linear(p+n.up, mlp, width), Down: l.Linear(p+n.down, width, mlp),
		}
		if n.weight != "" {
			qkv := l.Fused(p+n.weight, p+n.bias, width, width, "q", "k", "v")
			b.Q, b.K, b.V = qkv[0], qkv[1], qkv[2]
		} else {
			b.Q, b.K, b.V = l.Linear(p+n.q, width, width), l.Linear(p+n.k, width, width), l.Linear(p+n.v, width, width)
		}
		return b
	}
}

func loadText(l *weights.Loader, m *Model, n textNames) {
	tokens, positions := l.Any(n.tokens, 2), l.Any(n.positions, 2)
	if l.Err() != nil {
		return
	}
	width := tokens.Shape[1]
	m.Vocab, m.Context, m.Embed = tokens.Shape[0], positions.Shape[0], width
	m.Text = Text{Tokens: tokens, Positions: l.Take(n.positions, m.Context, width)}
	for _, name := range n.projs {
		if axis := 0; l.Has(name+".weight") || l.Has(name) {
			t := name + ".weight"
			if !l.Has(t) {
				t, axis = name, 1
			}
			if w := l.Any(t, 2); l.Err() == nil {
				m.Embed = w.Shape[axis]
			}
			m.Text.Proj = l.Projection(name, m.Embed, width)
		}
	}
	m.Text.Transformer = transformer(width, weights.Blocks(l, n.blocks, n.block.load(l, width)))
	m.Text.Final = l.Norm(n.final, width)
}

func loadTower(l *weights.Loader, m *Model, n towerNames) {
	conv := l.Any(n.conv+".weight", 4)
	if l.Err() != nil {
		return
	}
	w := conv.Shape[0]
	m.Patch = conv.Shape[2]
	v := &ViT{Tower: vit.Tower{
		Patch: m.Patch, Conv: weights.Linear{Weight: l.Take(conv.Name, w, 3, m.Patch, m.Patch)},
		Positions: l.Table(n.positions, w), Post: l.Norm(n.post, w),
	}}
	if l.Has(n.conv + ".bias") {
		v.Conv.Bias = l.Take(n.conv+".bias", w)
	}
	if l.Has(n.class) {
		v.Class = l.Table(n.class, w)
	}
	if l.Has(n.pre + ".weight") {
		pre := l.Norm(n.pre, w)
		v.Pre = &pre
	}
	v.Tower.Transformer = transformer(w, weights.Blocks(l, n.blocks, n.block.load(l, w)))
	v.Pool = n.pool(l, w)
	if l.Has(n.proj) || l.Has(n.proj+".weight") {
		v.Proj = l.Projection(n.proj, m.Embed, w)
	} else if v.Pool == nil || w != m.Embed {
		l.Fail("tensor %s is missing: an image tower of width %d has no way into the %d dimensions of texts", n.proj, w,
			m.Embed)
	}
	if l.Err() == nil {
		m.Image = m.Patch * l.Side(n.positions, v.Positions.Shape[0], v.Lead())
	}
	m.encoder = v
}

func huggingFacePool(l *weights.Loader, w int) *vit.Pool {
	const p = "vision_model.head."
	if !l.Has(p + "probe") {
		return nil
	}
	qkv := l.Fused(p+"attention.in_proj_weight", p+"attention.in_proj_bias", w, w, "q", "k", "v")
	return pool(l, w, l.Table(p+"probe", w), qkv, p+"attention.out_proj", p+"layernorm", p+"mlp.fc1", p+"mlp.fc2")
}

func metaPool(l *weights.Loader, w int) *vit.Pool {
	const p = "visual.attn_pool."
	if !l.Has(p + "probe") {
		return nil
	}
	qkv := l.Fused(p+"attn.in_proj_weight", p+"attn.in_proj_bias", w, w, "q", "k", "v")
	return pool(l, w, l.Table(p+"probe", w), qkv, p+"attn.out_proj", p+"layernorm", p+"mlp.c_fc", p+"mlp.c_proj")
}

func timmPool(l *weights.Loader, w int) *vit.Pool {
	const p = "visual.trunk.attn_pool."
	if !l.Has(p + "latent") {
		return nil
	}
	kv := l.Fused(p+"kv.weight", p+"kv.bias", w, w, "k", "v")
	qkv := append([]weights.Linear{l.Linear(p+"q", w, w)}, kv...)
	return pool(l, w, l.Table(p+"latent", w), qkv, p+"proj", p+"norm", p+"mlp.fc1", p+"mlp.fc2")
}

func pool(l *weights.Loader, w int, probe tensor.Dense, qkv []weights.Linear, out, norm, up, down string) *vit.Pool {
	mlp := 0
	if t := l.Any(up+".weight", 2); l.Err() == nil {
		mlp = t.Shape[0]
	}
	if l.Err() == nil {
		probe.Shape = []int{w}
	}
	return &vit.Pool{
		Probe: probe, Q: qkv[0], K: qkv[1], V: qkv[2], Out: l.Linear(out, w, w), Norm: l.Norm(norm, w),
		Up: l.Linear(up, mlp, w), Down: l.Linear(down, w, mlp),
	}
}

// logits are the factor and shift of cosines. Without them the factor is 100, as trained models have it.
func logits(l *weights.Loader, m *Model) {
	if m.LogitScale = 100; l.Has("logit_scale") {
		m.LogitScale = math.Exp(l.Scalar("logit_scale"))
	}
	if l.Has("logit_bias") {
		m.Sigmoid, m.LogitBias = true, l.Scalar("logit_bias")
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
