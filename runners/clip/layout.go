package clip

// openAI places the tensors of OpenAI's and open_clip's naming.
func openAI(l *loader, m *Model) {
	block := func(width int) func(string) Block {
		return func(p string) Block {
			mlp := 0
			if t := l.any(p+".mlp.c_fc.weight", 2); l.err == nil {
				mlp = t.Shape[0]
			}
			w, b := l.get(p+".attn.in_proj_weight", 3*width, width), l.get(p+".attn.in_proj_bias", 3*width)
			part := func(s string, i int) Linear {
				return Linear{l.rows(w, "."+s, i*width, (i+1)*width), l.rows(b, "."+s, i*width, (i+1)*width)}
			}
			return Block{
				LN1: l.norm(p+".ln_1", width), LN2: l.norm(p+".ln_2", width),
				Q: part("q", 0), K: part("k", 1), V: part("v", 2), Out: l.linear(p+".attn.out_proj", width, width),
				Up: l.linear(p+".mlp.c_fc", mlp, width), Down: l.linear(p+".mlp.c_proj", width, mlp),
			}
		}
	}
	tokens := l.any("token_embedding.weight", 2)
	positions := l.any("positional_embedding", 2)
	proj := l.any("text_projection", 2)
	if l.err != nil {
		return
	}
	width := tokens.Shape[1]
	m.Vocab, m.Context, m.Embed = tokens.Shape[0], positions.Shape[0], proj.Shape[1]
	m.Text = Text{
		Tokens: tokens, Positions: l.get("positional_embedding", m.Context, width),
		Blocks: l.blocks("transformer.resblocks", block(width)), Final: l.norm("ln_final", width),
		Proj: Projection{Weight: l.get("text_projection", width, m.Embed)},
	}
	m.Config.Text = tower(width, m.Text.Blocks)
	l.logitScale(m)
	if _, resnet := l.tensors["visual.attnpool.positional_embedding"]; resnet {
		loadResNet(l, m)
		return
	}
	conv := l.any("visual.conv1.weight", 4)
	vpos := l.any("visual.positional_embedding", 2)
	if l.err != nil {
		return
	}
	w := conv.Shape[0]
	m.Kind, m.Patch = "vit", conv.Shape[2]
	m.Image = m.Patch * l.square(vpos.Name, vpos.Shape[0]-1)
	m.Vision = &ViT{
		Conv: l.get("visual.conv1.weight", w, 3, m.Patch, m.Patch), Class: l.read("visual.class_embedding", w),
		Positions: l.read("visual.positional_embedding", vpos.Shape[0], w),
		Pre:       l.norm("visual.ln_pre", w), Post: l.norm("visual.ln_post", w),
		Blocks: l.blocks("visual.transformer.resblocks", block(w)),
		Proj:   Projection{Weight: l.get("visual.proj", w, m.Embed)},
	}
	m.Config.Vision = tower(w, m.Vision.Blocks)
}

// huggingFace places the tensors of transformers' CLIPModel.
func huggingFace(l *loader, m *Model) {
	block := func(width int) func(string) Block {
		return func(p string) Block {
			mlp := 0
			if t := l.any(p+".mlp.fc1.weight", 2); l.err == nil {
				mlp = t.Shape[0]
			}
			attn := func(s string) Linear { return l.linear(p+".self_attn."+s, width, width) }
			return Block{
				LN1: l.norm(p+".layer_norm1", width), LN2: l.norm(p+".layer_norm2", width),
				Q: attn("q_proj"), K: attn("k_proj"), V: attn("v_proj"), Out: attn("out_proj"),
				Up: l.linear(p+".mlp.fc1", mlp, width), Down: l.linear(p+".mlp.fc2", width, mlp),
			}
		}
	}
	tokens := l.any("text_model.embeddings.token_embedding.weight", 2)
	positions := l.any("text_model.embeddings.position_embedding.weight", 2)
	proj := l.any("text_projection.weight", 2)
	conv := l.any("vision_model.embeddings.patch_embedding.weight", 4)
	vpos := l.any("vision_model.embeddings.position_embedding.weight", 2)
	if l.err != nil {
		return
	}
	width, w := tokens.Shape[1], conv.Shape[0]
	m.Kind, m.Patch = "vit", conv.Shape[2]
	m.Vocab, m.Context, m.Embed = tokens.Shape[0], positions.Shape[0], proj.Shape[0]
	m.Image = m.Patch * l.square(vpos.Name, vpos.Shape[0]-1)
	m.Text = Text{
		Tokens: tokens, Positions: l.get(positions.Name, m.Context, width),
		Blocks: l.blocks("text_model.encoder.layers", block(width)), Final: l.norm("text_model.final_layer_norm", width),
		Proj: Projection{l.get("text_projection.weight", m.Embed, width), true},
	}
	m.Vision = &ViT{
		Conv:  l.get(conv.Name, w, 3, m.Patch, m.Patch),
		Class: l.read("vision_model.embeddings.class_embedding", w), Positions: l.read(vpos.Name, vpos.Shape[0], w),
		Pre: l.norm("vision_model.pre_layrnorm", w), Post: l.norm("vision_model.post_layernorm", w), // the typo is part of the name
		Blocks: l.blocks("vision_model.encoder.layers", block(w)),
		Proj:   Projection{l.get("visual_projection.weight", m.Embed, w), true},
	}
	m.Config.Text, m.Config.Vision = tower(width, m.Text.Blocks), tower(w, m.Vision.Blocks)
	l.logitScale(m)
}

// tower is the shape that blocks of width have.
func tower(width int, blocks []Block) Tower {
	t := Tower{Width: width, Layers: len(blocks)}
	if len(blocks) > 0 && len(blocks[0].Up.Bias.Shape) == 1 {
		t.MLP = blocks[0].Up.Bias.Shape[0]
	}
	return t
}
