package runners

import (
	"context"
	"fmt"

	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
)

// stage is the second graph of a method, with the step before it.
type stage struct {
	methods.Staged
	name    string
	index   int   // of the method's results
	kept    []int // of what the first graph keeps for all stages
	session *ort.Session
}

// keptPrefix begins the names of outputs for the second graphs.
const keptPrefix = "kept/"

// openStages loads the second graphs. Methods that differ only in what lies before theirs share one.
func (r *Images) openStages(lib *ort.Library) error {
	known := map[string]*ort.Session{}
	for i := range r.stages {
		s := &r.stages[i]
		model, err := r.second(s).Model()
		if err != nil {
			return fmt.Errorf("%s: %w", r.model.Path, err)
		}
		if s.session = known[string(model)]; s.session != nil {
			continue
		}
		if s.session, err = lib.NewSession(r.model.Path+", second pass of "+s.name, model, r.options.Session); err != nil {
			return err
		}
		known[string(model)] = s.session
		r.seconds = append(r.seconds, s.session)
	}
	return nil
}

// second is the second graph of a method: inputs are what the first one kept, the bias of attention logits and the texts; the
// output is the method's cosines.
func (r *Images) second(s *stage) *onnx.Graph {
	g := r.options.graph()
	batch, tokens := g.Symbol("batch"), g.Symbol("1+patches")
	var kept []onnx.Value
	for i, at := range s.kept {
		kept = append(kept, g.Input(fmt.Sprintf("kept.%d", i), tensor.F32, batch, tokens, r.kept[at]))
	}
	bias := g.Input("bias", tensor.F32, batch, 1, tokens, tokens)
	texts := g.Input("texts", tensor.F32, g.Symbol("texts"), r.model.Embed)
	g.Output("cosines", r.options.read(g, s.Second(g, r.model, kept, bias), texts))
	return g
}

// run replaces the first graph's cosines in result by the second one's, of each vocabulary that wants them.
func (s *stage) run(ctx context.Context, m *clip.Model, pixels tensor.Dense, words []Vocabulary, kept []tensor.Dense, result tensor.Dense) error {
	var in []ort.Value
	for _, at := range s.kept {
		in = append(in, float32s(kept[at]))
	}
	from := 0
	for _, v := range words {
		to := from + v.Texts.Shape[0]
		if v.wants(s.index) {
			bias := s.Between(m, pixels, columns(result, from, from+v.asked()))
			out := tensor.New(result.Shape[0], result.Shape[1], to-from)
			if err := s.session.Run(ctx, append(in[:len(in):len(in)], float32s(bias), float32s(v.Texts)), []ort.Value{float32s(out)}); err != nil {
				return err
			}
			paste(result, out, from)
		}
		from = to
	}
	return nil
}
