package clip

import (
	"fmt"
	"regexp"
	"strings"

	"ovbench/runners/weights"
)

// unsupported are parts of models that descend from CLIP and that would change the numbers if they were left out.
var unsupported = []struct {
	part *regexp.Regexp // of a tensor's name
	what string
}{
	{regexp.MustCompile(`\.ls_?[12]\.gamma$`), "LayerScale"},
	{regexp.MustCompile(`\.ln_attn\.|\.mlp\.ln\.|\.attn\.ln(_[a-z]+)?\.|\.attn\.(head_scale|logit_scale)$`), "normalised or scaled attention"},
	{regexp.MustCompile(`^visual\.attn_pool\.(query|ln_[qk])|^visual\.attn_pool_contrastive\.`), "an attentional pooler (CoCa)"},
	{regexp.MustCompile(`^text_decoder\.|^(text\.)?cls_emb$`), "CoCa's text tower"},
	{regexp.MustCompile(`^visual\.head\.`), "a projection head of timm"},
	{regexp.MustCompile(`^(text\.)?transformer\.(embeddings|encoder|embed_tokens|block|shared|layer)\b`), "a Hugging Face text tower inside open_clip"},
	{regexp.MustCompile(`^visual\.patchnorm_pre_ln\.`), "a LayerNorm before the patches"},
	{regexp.MustCompile(`^visual\.conv1\.bias$`), "a bias of the patch embedding"},
	{regexp.MustCompile(`^visual_projection\.bias$`), "a bias of the projection"},
	{regexp.MustCompile(`^image_encoder\.|^visual\.(blocks|patch_embed)\.`), "an image tower that is neither CLIP's ViT nor its ResNet"},
}

// trained are parts that a fine-tuning put beside the weights of a model and that belong to what it learned, wherever
// they stand.
var trained = []struct {
	part *regexp.Regexp
	what string
}{
	{regexp.MustCompile(`(^|[._])lora(_|\.|[AB]\b)|\.(hada|lokr|oft|ia3|dora)_|\.base_layer\.|\.modules_to_save\.`),
		"a LoRA adapter that is not merged; merge it into its model in Python (peft: merge_and_unload) and save that"},
	{regexp.MustCompile(`(?i)(^|[._])adapt(er|mlp)s?([._0-9]|$)`),
		"an adapter, which ovbench does not read; give the weights it was trained on, or weights fine-tuned as a whole"},
	{regexp.MustCompile(`(?i)(^|\.)(prompt_learner|prompt_embeddings|deep_prompt\w*|vpt\w*|ctx)(\.|$)`),
		"learned prompts, which ovbench does not read; give the weights they were trained on"},
	{regexp.MustCompile(`\.(SCB|absmax|quant_map|qweight|qzeros|g_idx|weight_format)$|\.quant_state\.`),
		"a weight of 8 or 4 bits; save the model in f32, f16 or bf16"},
}

// refuseTrained names what was trained beside the weights.
func refuseTrained(l *weights.Loader) error {
	for _, name := range l.Names() {
		for _, r := range trained {
			if r.part.MatchString(name) {
				return fmt.Errorf("tensor %s is of %s", name, r.what)
			}
		}
	}
	return nil
}

// refuseUnsupported names the part that a descendant of CLIP has.
func refuseUnsupported(l *weights.Loader) error {
	for _, name := range l.Names() {
		for _, r := range unsupported {
			if r.part.MatchString(name) {
				return fmt.Errorf("tensor %s: %s is not supported", name, r.what)
			}
		}
	}
	for _, name := range l.Names() {
		if strings.HasPrefix(name, "visual.trunk.") && !l.Has("visual.trunk.attn_pool.latent") {
			return fmt.Errorf("tensor %s: a timm image tower without an attention pool is not supported; of timm's ovbench "+
				"reads SigLIP and PE-Core", name)
		}
	}
	if s := l.Shape(huggingFaceTower.conv + ".weight"); len(s) == 2 {
		return fmt.Errorf("tensor %s.weight of shape %v: SigLIP 2 of flexible size (NaFlex) is not supported",
			huggingFaceTower.conv, s)
	}
	if l.Has("visual.class_embedding") && !l.Has("visual.ln_pre.weight") {
		return fmt.Errorf("tensor visual.ln_pre.weight is missing: an image tower without ln_pre is not supported")
	}
	return nil
}

// towers are the beginnings of tensors' names inside the towers.
var towers = []string{"visual.", "transformer.", "vision_model.", "text_model.", "visual_projection.",
	"text_projection", "ln_final.", "token_embedding.", "positional_embedding"}

// counters are buffers that compute nothing.
var counters = regexp.MustCompile(`\.num_batches_tracked$|\.position_ids$|(^|\.)attn_mask$`)

// refuseUnused wants every tensor of the towers to have found its place: one left over is a part that this program
// does not know.
func refuseUnused(l *weights.Loader) error {
	for _, name := range l.Left() {
		if counters.MatchString(name) {
			continue
		}
		for _, prefix := range towers {
			if strings.HasPrefix(name, prefix) {
				return fmt.Errorf("tensor %s has no place in CLIP's architecture: this model has parts that ovbench does not know",
					name)
			}
		}
	}
	return nil
}
