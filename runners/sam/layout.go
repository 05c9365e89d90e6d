package sam

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"ovbench/runners/tensor"
	"ovbench/runners/weights"
)

// layout takes tensors by the names of the authors' files, also from files of transformers, which has other ones.
type layout struct {
	*weights.Loader
	huggingFace bool
}

// renamed are the parts of names that differ in transformers.
var renamed = []struct {
	theirs *regexp.Regexp
	ours   string
}{
	{regexp.MustCompile(`^image_encoder\.blocks\.(\d+)\.norm`), "vision_encoder.layers.$1.layer_norm"},
	{regexp.MustCompile(`^image_encoder\.blocks\b`), "vision_encoder.layers"},
	{regexp.MustCompile(`^image_encoder\.patch_embed\.proj\.`), "vision_encoder.patch_embed.projection."},
	{regexp.MustCompile(`^image_encoder\.neck\.0\.`), "vision_encoder.neck.conv1."},
	{regexp.MustCompile(`^image_encoder\.neck\.1\b`), "vision_encoder.neck.layer_norm1"},
	{regexp.MustCompile(`^image_encoder\.neck\.2\.`), "vision_encoder.neck.conv2."},
	{regexp.MustCompile(`^image_encoder\.neck\.3\b`), "vision_encoder.neck.layer_norm2"},
	{regexp.MustCompile(`^image_encoder\.`), "vision_encoder."},
	{regexp.MustCompile(`\.point_embeddings\.`), ".point_embed."},
	{regexp.MustCompile(`\.mask_downscaling\.0\b`), ".mask_embed.conv1"},
	{regexp.MustCompile(`\.mask_downscaling\.1\b`), ".mask_embed.layer_norm1"},
	{regexp.MustCompile(`\.mask_downscaling\.3\b`), ".mask_embed.conv2"},
	{regexp.MustCompile(`\.mask_downscaling\.4\b`), ".mask_embed.layer_norm2"},
	{regexp.MustCompile(`\.mask_downscaling\.6\b`), ".mask_embed.conv3"},
	{regexp.MustCompile(`^(mask_decoder\..*)\.norm`), "$1.layer_norm"},
	{regexp.MustCompile(`\.output_upscaling\.0\b`), ".upscale_conv1"},
	{regexp.MustCompile(`\.output_upscaling\.1\b`), ".upscale_layer_norm"},
	{regexp.MustCompile(`\.output_upscaling\.3\b`), ".upscale_conv2"},
}

// name is that of a tensor in the file.
func (t *layout) name(s string) string {
	if t.huggingFace {
		for _, r := range renamed {
			s = r.theirs.ReplaceAllString(s, r.ours)
		}
	}
	return s
}

func (t *layout) take(name string, shape ...int) weights.Tensor {
	return t.Take(t.name(name), shape...)
}

func (t *layout) read(name string, shape ...int) tensor.Dense { return t.Read(t.name(name), shape...) }

func (t *layout) norm(name string, width int) weights.Norm { return t.Norm(t.name(name), width) }

func (t *layout) linear(name string, out, in int) weights.Linear {
	return t.Linear(t.name(name), out, in)
}

// sized takes name.weight and name.bias, whose number of outputs they tell themselves: along axis out of the given
// shape, where it is -1.
func (t *layout) sized(name string, shape ...int) weights.Linear {
	out := slices.Index(shape, -1)
	if w := t.Any(t.name(name+".weight"), len(shape)); t.Err() == nil {
		shape[out] = w.Shape[out]
	}
	return weights.Linear{Weight: t.take(name+".weight", shape...), Bias: t.take(name+".bias", shape[out])}
}

func (t *layout) encoder() encoder {
	pos := t.Any(t.name("image_encoder.pos_embed"), 4)
	conv := t.Any(t.name("image_encoder.patch_embed.proj.weight"), 4)
	if t.Err() != nil {
		return encoder{}
	}
	n, width, patch := pos.Shape[1], pos.Shape[3], conv.Shape[2]
	e := encoder{
		grid: n,
		patches: weights.Linear{Weight: t.take("image_encoder.patch_embed.proj.weight", width, 3, patch, patch),
			Bias: t.take("image_encoder.patch_embed.proj.bias", width)},
		positions: t.take("image_encoder.pos_embed", 1, n, n, width),
		neck:      t.neck(width),
	}
	for i := range t.Count(t.name("image_encoder.blocks")) {
		e.blocks = append(e.blocks, t.block(fmt.Sprintf("image_encoder.blocks.%d", i), width))
	}
	if t.Err() != nil {
		return e
	}
	e.heads = width / e.blocks[0].rows.Shape[1]
	t.checkWindows(&e)
	return e
}

func (t *layout) block(p string, width int) block {
	qkv := t.Fused(t.name(p+".attn.qkv.weight"), t.name(p+".attn.qkv.bias"), width, width, "q", "k", "v")
	rows := t.Any(t.name(p+".attn.rel_pos_h"), 2)
	if t.Err() != nil {
		return block{}
	}
	b := block{
		norm1: t.norm(p+".norm1", width), norm2: t.norm(p+".norm2", width),
		q: qkv[0], k: qkv[1], v: qkv[2], out: t.linear(p+".attn.proj", width, width),
		rows: t.read(p+".attn.rel_pos_h", rows.Shape...), cols: t.read(p+".attn.rel_pos_w", rows.Shape...),
		up: t.sized(p+".mlp.lin1", -1, width),
	}
	if t.Err() != nil {
		return b
	}
	b.down = t.linear(p+".mlp.lin2", width, b.up.Bias.Shape[0])
	b.window = (rows.Shape[0] + 1) / 2
	if rows.Shape[0]%2 == 0 || width%rows.Shape[1] != 0 {
		t.Fail("tensor %s has shape %v, want 2·window-1 rows of the width of a head, which divides %d", rows.Name, rows.Shape,
			width)
	}
	return b
}

// checkWindows wants tables of relative positions that fit the grid. SAM's own code resizes those of another grid; no
// published model needs that.
func (t *layout) checkWindows(e *encoder) {
	const widest = 64
	var others []int
	for _, b := range e.blocks {
		switch {
		case b.rows.Shape[1]*e.heads != e.positions.Shape[3]:
			t.Fail("blocks of %d and of %d channels a head", e.positions.Shape[3]/e.heads, b.rows.Shape[1])
		case b.window != e.grid && b.window > widest:
			t.Fail("windows of %d are out of range: at most %d are taken", b.window, widest)
		case b.window != e.grid && !slices.Contains(others, b.window):
			others = append(others, b.window)
		}
	}
	if len(others) > 1 {
		t.Fail("relative positions for grids of %v, but the picture's is of %d: a model that was cut to another size is "+
			"not supported", others, e.grid)
	}
}

// config is the sizes that the encoder tells.
func (e *encoder) config() Config {
	w := e.patches.Weight.Shape
	return Config{Image: w[2] * e.grid, Patch: w[2], Grid: e.grid, Width: w[0], Depth: len(e.blocks), Heads: e.heads}
}

func (t *layout) neck(width int) neck {
	w := t.Any(t.name("image_encoder.neck.0.weight"), 4)
	if t.Err() != nil {
		return neck{}
	}
	c := w.Shape[0]
	return neck{
		conv1: t.take("image_encoder.neck.0.weight", c, width, 1, 1), norm1: t.norm("image_encoder.neck.1", c),
		conv2: t.take("image_encoder.neck.2.weight", c, c, 3, 3), norm2: t.norm("image_encoder.neck.3", c),
	}
}

// frequencies are the names of the random frequencies, of which transformers keeps one or two copies.
var frequencies = []string{
	"prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
	"shared_image_embedding.positional_embedding", "prompt_encoder.shared_embedding.positional_embedding",
}

func (t *layout) prompts(c int) prompts {
	var p prompts
	for _, name := range frequencies {
		if t.Has(name) {
			p.frequencies = t.Read(name, 2, c/2)
		}
	}
	if p.frequencies.Shape == nil {
		t.Read(frequencies[0], 2, c/2) // which says that it is missing
	}
	for i := range p.corners {
		p.corners[i] = t.read(fmt.Sprintf("prompt_encoder.point_embeddings.%d.weight", i), 1, c).Data
	}
	p.padding = t.read("prompt_encoder.not_a_point_embed.weight", 1, c).Data
	p.noMask = t.read("prompt_encoder.no_mask_embed.weight", 1, c).Data
	const down = "prompt_encoder.mask_downscaling."
	p.conv1 = t.sized(down+"0", -1, 1, 2, 2)
	if t.Err() == nil {
		p.norm1 = t.norm(down+"1", p.conv1.Bias.Shape[0])
		p.conv2 = t.sized(down+"3", -1, p.conv1.Bias.Shape[0], 2, 2)
	}
	if t.Err() == nil {
		p.norm2 = t.norm(down+"4", p.conv2.Bias.Shape[0])
		p.conv3 = weights.Linear{Weight: t.take(down+"6.weight", c, p.conv2.Bias.Shape[0], 1, 1), Bias: t.take(down+"6.bias",
			c)}
	}
	return p
}

func (t *layout) decoder(c int) decoder {
	const transformer = "mask_decoder.transformer."
	tokens := t.Any(t.name("mask_decoder.mask_tokens.weight"), 2)
	if t.Err() != nil {
		return decoder{}
	}
	m := tokens.Shape[0]
	d := decoder{
		iou: t.take("mask_decoder.iou_token.weight", 1, c), tokens: t.take("mask_decoder.mask_tokens.weight", m, c),
		layers: weights.Blocks(t.Loader, transformer+"layers", func(p string) layer { return t.layer(p, c) }),
		final:  t.attention(transformer+"final_attn_token_to_image", c), finalNorm: t.norm(transformer+"norm_final_attn", c),
		up1: t.sized("mask_decoder.output_upscaling.0", c, -1, 2, 2),
	}
	if t.Err() != nil {
		return d
	}
	d.upNorm = t.norm("mask_decoder.output_upscaling.1", d.up1.Bias.Shape[0])
	if d.up2 = t.sized("mask_decoder.output_upscaling.3", d.up1.Bias.Shape[0], -1, 2, 2); t.Err() != nil {
		return d
	}
	for i := range m {
		d.hyper = append(d.hyper, t.mlp(fmt.Sprintf("mask_decoder.output_hypernetworks_mlps.%d", i), c, d.up2.Bias.Shape[0]))
	}
	d.head = t.mlp("mask_decoder.iou_prediction_head", c, m)
	return d
}

func (t *layout) layer(p string, c int) layer {
	l := layer{
		self:     t.attention(p+".self_attn", c),
		toImage:  t.attention(p+".cross_attn_token_to_image", c),
		toTokens: t.attention(p+".cross_attn_image_to_token", c),
		norm1:    t.norm(p+".norm1", c), norm2: t.norm(p+".norm2", c), norm3: t.norm(p+".norm3", c), norm4: t.norm(p+".norm4",
			c),
		up: t.sized(p+".mlp.lin1", -1, c),
	}
	if t.Err() == nil {
		l.down = t.linear(p+".mlp.lin2", c, l.up.Bias.Shape[0])
	}
	return l
}

// attention takes projections to a width that they tell themselves.
func (t *layout) attention(p string, c int) attention {
	a := attention{q: t.sized(p+".q_proj", -1, c)}
	if t.Err() != nil {
		return a
	}
	inner := a.q.Bias.Shape[0]
	a.k, a.v, a.out = t.linear(p+".k_proj", inner, c), t.linear(p+".v_proj", inner, c), t.linear(p+".out_proj", c, inner)
	return a
}

// mlp takes as many layers as there are, from in channels to out.
func (t *layout) mlp(p string, in, out int) mlp {
	var m mlp
	names := t.mlpNames(p)
	for i, name := range names {
		if t.Err() != nil {
			return nil
		}
		if i == len(names)-1 {
			m = append(m, t.linear(name, out, in))
			break
		}
		l := t.sized(name, -1, in)
		m = append(m, l)
		if t.Err() == nil {
			in = l.Bias.Shape[0]
		}
	}
	return m
}

func (t *layout) mlpNames(p string) []string {
	var names []string
	for i := range t.Count(p + ".layers") {
		names = append(names, fmt.Sprintf("%s.layers.%d", p, i))
	}
	if t.huggingFace {
		names = append(append([]string{p + ".proj_in"}, names...), p+".proj_out")
	}
	return names
}

// unsupported are models that descend from SAM and compute something else, by a tensor that only they have.
var unsupported = []struct {
	part       *regexp.Regexp
	what, hint string
}{
	{regexp.MustCompile(`^mask_decoder\.(hf_token|hf_mlp|compress_vit_feat|embedding_encoder|embedding_maskfeature|hq_token)`), "SAM-HQ", ""},
	{regexp.MustCompile(`^sam_mask_decoder\.|^image_encoder\.trunk\.|^memory_(attention|encoder)\.|^vision_encoder\.backbone\.`), "SAM 2", ""},
	{regexp.MustCompile(`^prompt_encoder\.(invalid_points|bbox_top_left_embeddings)\.|^mask_decoder\.final_output_upscaling_layers\.`),
		"EfficientSAM", ", which knows no negative points"},
	{regexp.MustCompile(`^image_encoder\.(patch_embed\.seq|layers\.\d+\.(blocks|downsample))\.`), "MobileSAM", ": its exported pair encoder.onnx,decoder.onnx is taken"},
	{regexp.MustCompile(`^detector\.|^detector_model\.`), "SAM 3", ""},
	{regexp.MustCompile(`^model\.\d+\.(conv|cv1|m)\.`), "FastSAM or another YOLO", ""},
	{regexp.MustCompile(`^visual\.(conv1|proj|class_embedding)|^vision_model\.embeddings\.|^(text_model|transformer)\.`), "a CLIP model", ": give it as --model"},
	{regexp.MustCompile(`\.(lora_[AB]|adapter|Adapter)\b|\.MLP_Adapter\.|\.Space_Adapter\.`), "SAM with adapters", ": merge them first"},
}

// refuseUnsupported names the other model that a checkpoint is of.
func refuseUnsupported(l *weights.Loader) error {
	for _, name := range l.Names() {
		for _, r := range unsupported {
			if r.part.MatchString(name) {
				return fmt.Errorf("tensor %s: this is %s, not SAM%s; a segmenter is sam_vit_b, _l or _h, a fine-tune with the "+
					"same tensors, or a directory of transformers' SamModel", strings.ToValidUTF8(name, "?"), r.what, r.hint)
			}
		}
	}
	return nil
}
