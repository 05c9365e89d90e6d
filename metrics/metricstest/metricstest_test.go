package metricstest_test

import (
	"testing"

	"pgregory.net/rapid"

	"ovbench/metrics"
	"ovbench/metrics/metricstest"
)

// segmentation gives a Confusion the shape of an Accumulator by fixing its convention.
type segmentation struct {
	*metrics.Confusion
	convention metrics.Convention
}

func (s segmentation) Merge(other segmentation) error { return s.Confusion.Merge(other.Confusion) }
func (s segmentation) Scores() []metrics.Score        { return s.Confusion.Scores(s.convention) }

func TestSegmentation(t *testing.T) {
	const classes = 4
	for _, convention := range metrics.Conventions {
		t.Run(convention.Name, func(t *testing.T) {
			empty := func() segmentation {
				c, err := metrics.NewConfusion(classes)
				if err != nil {
					t.Fatal(err)
				}
				return segmentation{c, convention}
			}
			metricstest.Laws(t, empty, rapid.Custom(func(t *rapid.T) metrics.Sparse {
				truth := rapid.SliceOfN(rapid.SampledFrom([]uint16{0, 1, 2, 3, 255}), 0, 9).Draw(t, "truth")
				pred := rapid.SliceOfN(rapid.Uint16Range(0, classes+1), len(truth), len(truth)).Draw(t, "pred")
				s, err := metrics.Count(truth, pred, classes, 255)
				if err != nil {
					t.Fatal(err)
				}
				return s
			}))
		})
	}
}
