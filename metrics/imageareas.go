package metrics

// classArea is the part of one class in one image. Most images have few classes.
type classArea struct {
	class                     int
	intersection, truth, pred int64
}

type imageArea []classArea

func (a imageArea) addTo(sum Areas, times int64) {
	for _, c := range a {
		sum.Intersection[c.class] += times * c.intersection
		sum.Truth[c.class] += times * c.truth
		sum.Pred[c.class] += times * c.pred
	}
}

// imageAreas reduces records to what pooled scores need.
func imageAreas(records []Sparse, classes int) ([]imageArea, bool) {
	one, err := NewConfusion(classes)
	if err != nil {
		return nil, false
	}
	out := make([]imageArea, len(records))
	for r, record := range records {
		clear(one.cells)
		one.total = 0
		if one.Add(record) != nil {
			return nil, false
		}
		a := one.areas()
		for c := range classes {
			if a.Truth[c] > 0 || a.Pred[c] > 0 {
				out[r] = append(out[r], classArea{c, a.Intersection[c], a.Truth[c], a.Pred[c]})
			}
		}
	}
	return out, true
}
