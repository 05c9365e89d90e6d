package cliptest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
)

// ResNet is a modified ResNet to make.
type ResNet struct {
	Stages              [4]int // bottlenecks
	Width, Image, Embed int    // Width is the stem's
	Text                Tower
	Vocab               int
}

// The shapes of OpenAI's smallest and largest ResNet.
var (
	RN50    = ResNet{Stages: [4]int{3, 4, 6, 3}, Width: 64, Image: 224, Embed: 1024, Text: Tower{512, 12, 8}, Vocab: 49408}
	RN50x64 = ResNet{Stages: [4]int{3, 15, 36, 10}, Width: 128, Image: 448, Embed: 1024, Text: Tower{1024, 12, 16}, Vocab: 49408}
)

// WriteResNet makes open_clip_model.safetensors in dir from a seed, under OpenAI's names, and returns its path.
func WriteResNet(dir string, s ResNet, seed uint64) (string, error) {
	path := filepath.Join(dir, "open_clip_model.safetensors")
	return path, writeSafetensors(path, s.weights(), rand.New(rand.NewPCG(seed, 2)))
}

func (s ResNet) weights() []weight {
	out := []weight{{"logit_scale", nil, float32(math.Log(100)), 0}}
	add := func(name string, mean float32, std float64, shape ...int) {
		out = append(out, weight{name, shape, mean, std})
	}
	conv := func(name, bn string, o, in, k int, scale float32) {
		add(name+".weight", 0, 1/math.Sqrt(float64(in*k*k)), o, in, k, k)
		add(bn+".weight", scale, 0.1, o)
		add(bn+".bias", 0, 0.1, o)
		add(bn+".running_mean", 0, 0.1, o)
		add(bn+".running_var", 1, 0.3, o)
	}
	linear := func(name string, o, in int) {
		add(name+".weight", 0, 1/math.Sqrt(float64(in)), o, in)
		add(name+".bias", 0, 0.02, o)
	}
	in := 3
	for i, o := range []int{s.Width / 2, s.Width / 2, s.Width} {
		conv(fmt.Sprintf("visual.conv%d", i+1), fmt.Sprintf("visual.bn%d", i+1), o, in, 3, 1)
		in = o
	}
	for i, blocks := range s.Stages {
		planes := s.Width << i
		for b := range blocks {
			p := fmt.Sprintf("visual.layer%d.%d.", i+1, b)
			conv(p+"conv1", p+"bn1", planes, in, 1, 1)
			conv(p+"conv2", p+"bn2", planes, planes, 3, 1)
			conv(p+"conv3", p+"bn3", 4*planes, planes, 1, 0.3) // small, so that deep sums stay small
			if b == 0 {
				conv(p+"downsample.0", p+"downsample.1", 4*planes, in, 1, 1)
			}
			in = 4 * planes
		}
	}
	grid := s.Image / 32
	add("visual.attnpool.positional_embedding", 0, 0.5, 1+grid*grid, in)
	linear("visual.attnpool.q_proj", in, in)
	linear("visual.attnpool.k_proj", in, in)
	linear("visual.attnpool.v_proj", in, in)
	linear("visual.attnpool.c_proj", s.Embed, in)
	return append(out, openAIText(s.Text, s.Vocab, s.Embed)...)
}

// openAIText lists the tensors of a text tower under OpenAI's names.
func openAIText(t Tower, vocab, embed int) []weight {
	w := t.Width
	deviation := 1 / math.Sqrt(float64(w))
	out := []weight{
		{"token_embedding.weight", []int{vocab, w}, 0, 0.5}, {"positional_embedding", []int{contextLength, w}, 0, 0.3},
		{"ln_final.weight", []int{w}, 1, 0.1}, {"ln_final.bias", []int{w}, 0, 0.1}, {"text_projection", []int{w, embed}, 0, deviation},
	}
	for i := range t.Layers {
		p := fmt.Sprintf("transformer.resblocks.%d.", i)
		out = append(out,
			weight{p + "ln_1.weight", []int{w}, 1, 0.1}, weight{p + "ln_1.bias", []int{w}, 0, 0.1},
			weight{p + "ln_2.weight", []int{w}, 1, 0.1}, weight{p + "ln_2.bias", []int{w}, 0, 0.1},
			weight{p + "attn.in_proj_weight", []int{3 * w, w}, 0, deviation}, weight{p + "attn.in_proj_bias", []int{3 * w}, 0, 0.02},
			weight{p + "attn.out_proj.weight", []int{w, w}, 0, deviation}, weight{p + "attn.out_proj.bias", []int{w}, 0, 0.02},
			weight{p + "mlp.c_fc.weight", []int{4 * w, w}, 0, deviation}, weight{p + "mlp.c_fc.bias", []int{4 * w}, 0, 0.02},
			weight{p + "mlp.c_proj.weight", []int{w, 4 * w}, 0, deviation / 2}, weight{p + "mlp.c_proj.bias", []int{w}, 0, 0.02})
	}
	return out
}
