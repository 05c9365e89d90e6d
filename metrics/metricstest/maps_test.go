package metricstest_test

import (
	"testing"

	"pgregory.net/rapid"

	"ovbench/metrics"
	"ovbench/metrics/metricstest"
)

// must makes an accumulator of a number of classes that is fine.
func must[A any](t *testing.T, make func(classes int) (A, error), classes int) func() A {
	return func() A {
		t.Helper()
		a, err := make(classes)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
}

// explainability brings the contrasts, which lie in -1..1, into 0..1.
type explainability struct{ *metrics.Explainability }

func (e explainability) Merge(other explainability) error {
	return e.Explainability.Merge(other.Explainability)
}

func (e explainability) Scores() []metrics.Score {
	scores := e.Explainability.Scores()
	for i, s := range scores {
		if s.Name == "mSC" || s.Name == "mSC-pairs" {
			scores[i].Value = (1 + s.Value) / 2
		}
	}
	return scores
}

var (
	maskValue = rapid.SampledFrom([]uint8{metrics.Outside, metrics.Inside, metrics.Void})
	mapValue  = rapid.OneOf(rapid.Float32Range(0, 1), rapid.SampledFrom([]float32{0, 0.5, 1}))
	image     = rapid.IntRange(0, 9)
)

// drawMap draws a map and a mask that has its class.
func drawMap(t *rapid.T) (score []float32, mask []uint8) {
	mask = append(rapid.SliceOfN(maskValue, 0, 12).Draw(t, "mask"), metrics.Inside)
	return rapid.SliceOfN(mapValue, len(mask), len(mask)).Draw(t, "map"), mask
}

func TestExplainability(t *testing.T) {
	const classes = 3
	empty := must(t, metrics.NewExplainability, classes)
	metricstest.Laws(t, func() explainability { return explainability{empty()} }, rapid.Custom(func(t *rapid.T) metrics.ExplainRecord {
		score, mask := drawMap(t)
		r, err := metrics.Explain(score, mask, image.Draw(t, "image"), rapid.IntRange(0, classes-1).Draw(t, "class"))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}))
}

func TestPointing(t *testing.T) {
	const classes = 3
	metricstest.Laws(t, must(t, metrics.NewPointing, classes), rapid.Custom(func(t *rapid.T) metrics.PointRecord {
		return metrics.PointRecord{
			Image:   image.Draw(t, "image"),
			Class:   rapid.IntRange(0, classes-1).Draw(t, "class"),
			Outcome: rapid.SampledFrom([]metrics.Outcome{metrics.Hit, metrics.Miss, metrics.Skipped}).Draw(t, "outcome"),
		}
	}))
}

func TestEnergy(t *testing.T) {
	metricstest.Laws(t, func() *metrics.Energy { return new(metrics.Energy) }, rapid.Custom(func(t *rapid.T) metrics.EnergyRecord {
		score, mask := drawMap(t)
		r, err := metrics.EnergyAt(score, mask, image.Draw(t, "image"), rapid.IntRange(0, 3).Draw(t, "class"))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}))
}

func TestImageNetSegmentation(t *testing.T) {
	metricstest.Laws(t, func() *metrics.ImageNetSegmentation { return new(metrics.ImageNetSegmentation) }, rapid.Custom(func(t *rapid.T) metrics.ImageNetSegmentationRecord {
		score, mask := drawMap(t)
		r, err := metrics.ImageNetSegmentationAt(score, mask, image.Draw(t, "image"))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}))
}

func TestFaithfulness(t *testing.T) {
	curve := rapid.SliceOfN(rapid.Float64Range(0, 1), 5, 5)
	metricstest.Laws(t, func() *metrics.Faithfulness { return new(metrics.Faithfulness) }, rapid.Custom(func(t *rapid.T) metrics.FaithRecord {
		r := metrics.FaithRecord{Image: image.Draw(t, "image"), Deletion: curve.Draw(t, "deletion")}
		if rapid.Bool().Draw(t, "both") {
			r.Insertion = curve.Draw(t, "insertion")
		}
		return r
	}))
}

func TestPrompting(t *testing.T) {
	const width = 3
	metricstest.Laws(t, func() *metrics.Prompting { return new(metrics.Prompting) }, rapid.Custom(func(t *rapid.T) metrics.PromptRecord {
		mask := rapid.SliceOfN(maskValue, 2*width, 2*width).Draw(t, "mask")
		points := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) metrics.Prompt {
			return metrics.Prompt{X: rapid.IntRange(0, width-1).Draw(t, "x"), Y: rapid.IntRange(0, 1).Draw(t, "y"), Positive: rapid.Bool().Draw(t, "positive")}
		}), 0, 6).Draw(t, "points")
		r, err := metrics.PromptsAt(points, mask, width, image.Draw(t, "image"), rapid.IntRange(0, 3).Draw(t, "class"))
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "segmented") {
			o, err := metrics.OverlapOf(rapid.SliceOfN(maskValue, 2*width, 2*width).Draw(t, "predicted"), mask)
			if err != nil {
				t.Fatal(err)
			}
			r.Chosen = &o
		}
		return r
	}))
}
