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
	index   int          // of the method's results
	kept    []onnx.Value // of the first graph
	session *ort.Session
}

// keptPrefix begins the names of outputs for the second graph.
const keptPrefix = "kept/"

func (s *stage) keptName(k int) string { return fmt.Sprintf("%s%s/%d", keptPrefix, s.name, k) }

// open loads the second graph: inputs are what the first one kept, the bias of attention logits and the texts; the output is
// the method's cosines.
func (s *stage) open(lib *ort.Library, m *clip.Model, o ImageOptions) (err error) {
	g := o.graph()
	batch, tokens := g.Symbol("batch"), g.Symbol("1+patches")
	var kept []onnx.Value
	for i, v := range s.kept {
		kept = append(kept, g.Input(fmt.Sprintf("kept.%d", i), tensor.F32, batch, tokens, v.Shape()[2]))
	}
	bias := g.Input("bias", tensor.F32, batch, 1, tokens, tokens)
	texts := g.Input("texts", tensor.F32, g.Symbol("texts"), m.Embed)
	g.Output(s.name, o.read(g, s.Second(g, m, kept, bias), texts))
	s.session, err = newSession(lib, m, g, m.Path+", second pass of "+s.name, o.Session)
	return err
}

// space is memory for what the first graph keeps.
func (s *stage) space(batch, tokens int) (out []tensor.Dense) {
	for _, v := range s.kept {
		out = append(out, tensor.New(batch, tokens, v.Shape()[2]))
	}
	return out
}

// run replaces the first graph's cosines in result by the second one's.
func (s *stage) run(ctx context.Context, m *clip.Model, pixels, texts tensor.Dense, kept []tensor.Dense, result tensor.Dense) error {
	bias := s.Between(m, pixels, result)
	in := append(values(kept), float32s(bias), float32s(texts))
	return s.session.Run(ctx, in, []ort.Value{float32s(result)})
}
