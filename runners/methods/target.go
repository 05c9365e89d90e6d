package methods

import "ovbench/runners/onnx"

// The targets: what is differentiated. Their scale matters where a method multiplies gradients of several blocks.
const (
	cosineTarget  = "cosine"  // of the image's and the text's embeddings
	logitTarget   = "logit"   // the cosine times the logit scale, about 100
	softmaxTarget = "softmax" // the probability of the text among all texts given, so a map depends on the other texts
)

// target is the seed of the score of every explained text, for embeddings [B, 1, E] of length 1.
func (s *Scene) target(kind string, embedding onnx.Value) []onnx.Seed {
	scale := float32(s.CosineScale())
	texts := s.Gather(s.Texts, s.Asked)
	if kind == softmaxTarget {
		seed := s.OneHot(s.Softmax(s.Scale(s.Linear(embedding, texts, onnx.Value{}), scale), -1))
		seed.Cotangent = s.Gather(seed.Cotangent, s.Explained)
		return []onnx.Seed{seed}
	}
	texts = s.Gather(texts, s.Explained)
	if kind == logitTarget {
		texts = s.Scale(texts, scale)
	}
	shape := texts.Shape()
	return []onnx.Seed{{Of: embedding, Cotangent: s.Reshape(texts, shape[0], 1, 1, shape[1])}}
}
