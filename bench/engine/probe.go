package engine

import (
	"context"

	"ovbench/runners"
	"ovbench/runners/methods"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// loadProbe loads the unchanged model, for tasks that show it more than the samples.
func (r *run) loadProbe() error {
	if !r.plan.task.Needs().Probe {
		return nil
	}
	plain, err := methods.New("clip", nil)
	if err != nil {
		return err
	}
	r.plain = map[vit.Normalization]*runners.Images{}
	for _, t := range r.plan.targets {
		if r.plain[t.framing.colours] != nil {
			continue
		}
		named := []runners.Named{{Name: "clip", Method: plain}}
		images, err := runners.NewImages(r.plan.library, r.plan.modelOn(t.framing), named, r.imageOptions())
		if err != nil {
			return err
		}
		r.plain[t.framing.colours] = images
	}
	return nil
}

// cosines shows images to the unchanged model.
func (r *run) cosines(ctx context.Context, target int) func(images [][]float32) ([][]float32, error) {
	if r.plain == nil {
		return nil
	}
	return func(images [][]float32) ([][]float32, error) {
		in := r.plan.targets[target].framing.input
		batch := tensor.New(len(images), 3, in.Height, in.Width)
		for i, image := range images {
			copy(batch.At(i).Data, image)
		}
		sims, err := r.plain[r.plan.targets[target].framing.colours].Similarities(ctx, batch, r.texts[target])
		if err != nil {
			return nil, err
		}
		out := make([][]float32, len(images))
		for i := range out {
			out[i] = sims[0].At(i).Global[:len(r.plan.targets[target].Texts)] // without the empty text
		}
		return out, nil
	}
}
