package cliptest

import (
	"fmt"
	"math"
	"path/filepath"

	"ovbench/runners/checkpoint/checkpointtest"
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
	RN50x64 = ResNet{Stages: [4]int{3, 15, 36, 10}, Width: 128, Image: 448, Embed: 1024, Text: Tower{1024, 12, 16},
		Vocab: 49408}
)

// WriteResNet makes open_clip_model.safetensors in dir from a seed, under OpenAI's names, and returns its path.
func WriteResNet(dir string, s ResNet, seed uint64) (string, error) {
	path := filepath.Join(dir, "open_clip_model.safetensors")
	return path, checkpointtest.WriteSafetensors(path, s.weights(), seed)
}

func (s ResNet) weights() checkpointtest.List {
	out := checkpointtest.List{{Name: "logit_scale", Mean: math.Log(100)}}
	add := func(name string, mean, std float64, shape ...int) {
		out = append(out, checkpointtest.Weight{Name: name, Shape: shape, Mean: mean, Std: std})
	}
	conv := func(name, bn string, o, in, k int, scale float64) {
		add(name+".weight", 0, 1/math.Sqrt(float64(in*k*k)), o, in, k, k)
		add(bn+".weight", scale, 0.1, o)
		add(bn+".bias", 0, 0.1, o)
		add(bn+".running_mean", 0, 0.1, o)
		add(bn+".running_var", 1, 0.3, o)
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
	out.Linear("visual.attnpool.q_proj", in, in)
	out.Linear("visual.attnpool.k_proj", in, in)
	out.Linear("visual.attnpool.v_proj", in, in)
	out.Linear("visual.attnpool.c_proj", s.Embed, in)
	return append(out, openAIText(s.Text, s.Vocab, contextLength, s.Embed)...)
}
