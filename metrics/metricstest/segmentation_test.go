package metricstest_test

import (
	"testing"

	"pgregory.net/rapid"

	"ovbench/metrics"
	"ovbench/metrics/metricstest"
)

// boundary gives a Boundary the shape of an Accumulator by fixing its convention.
type boundary struct {
	*metrics.Boundary
	convention metrics.Convention
}

func (b boundary) Merge(other boundary) error { return b.Boundary.Merge(other.Boundary) }
func (b boundary) Scores() []metrics.Score    { return b.Boundary.Scores(b.convention) }

// drawBoundary draws a record of a small image of three classes.
func drawBoundary(t *rapid.T) metrics.BoundaryRecord {
	w, h := rapid.IntRange(1, 5).Draw(t, "width"), rapid.IntRange(1, 5).Draw(t, "height")
	truth := rapid.SliceOfN(rapid.SampledFrom([]uint16{0, 1, 2, 255}), w*h, w*h).Draw(t, "truth")
	pred := rapid.SliceOfN(rapid.Uint16Range(0, 4), w*h, w*h).Draw(t, "pred")
	r, err := metrics.CountBoundary(truth, pred, w, h, 3, 255, metrics.DilationRatio)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBoundary(t *testing.T) {
	for _, convention := range metrics.Conventions {
		t.Run(convention.Name, func(t *testing.T) {
			metricstest.Laws(t, func() boundary {
				b, err := metrics.NewBoundary(3)
				if err != nil {
					t.Fatal(err)
				}
				return boundary{b, convention}
			}, rapid.Custom(drawBoundary))
		})
	}
}

func TestImageNetS(t *testing.T) {
	metricstest.Laws(t, func() *metrics.ImageNetS {
		s, err := metrics.NewImageNetS(3)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}, rapid.Custom(drawBoundary))
}

func TestCityscapes(t *testing.T) {
	metricstest.Laws(t, metrics.NewCityscapes, rapid.Custom(drawCityscapes))
}

// drawCityscapes draws a record, in one of ten cases without instances.
func drawCityscapes(t *rapid.T) metrics.CityscapesRecord {
	label := rapid.SampledFrom([]uint16{0, 7, 8, 9, 23, 24, 25, 26, 29, 33})
	truth := rapid.SliceOfN(label, 0, 12).Draw(t, "truth")
	pred := rapid.SliceOfN(label, len(truth), len(truth)).Draw(t, "pred")
	instances := make([]uint16, len(truth))
	for i, v := range truth {
		instances[i] = v
		if number := rapid.Uint16Range(0, 3).Draw(t, "instance"); v >= 24 && number > 0 {
			instances[i] = v*1000 + number
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "without") == 0 {
		instances = nil
	}
	r, err := metrics.CountCityscapes(truth, pred, instances)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
