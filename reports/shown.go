package reports

import (
	"ovbench/reports/draw"
	"ovbench/reports/pdf"
	"ovbench/reports/results"
)

// picturePixels is the longer side of a sample's pictures in documents.
const picturePixels = 320

// shown is a sample as documents show it: what there is to see, of whom, and what is to be said about it.
func shown(r *results.Run, d *results.Dataset, p *results.Panel) (*pdf.Sample, error) {
	m, err := loadSample(r, p, picturePixels)
	if err != nil {
		return nil, err
	}
	s := &pdf.Sample{ID: m.id, W: m.image.Rect.Dx(), H: m.image.Rect.Dy(), Image: m.image, See: m.see,
		Scale: len(m.maps) > 0}
	if m.truth != nil {
		s.Truth = m.truth.picture()
	}
	for _, x := range r.Methods {
		if m.predictions[x.Name] != nil || m.maps[x.Name].gray != nil {
			s.Methods = append(s.Methods, x.Name)
		}
	}
	if len(m.predictions) > 0 {
		s.Kinds = append(s.Kinds, labelKind)
	}
	if len(m.maps) > 0 {
		s.Kinds = append(s.Kinds, heatKind)
	}
	if len(m.predictions) > 0 && m.truth != nil {
		s.Kinds = append(s.Kinds, errorKind)
	}
	key := newLegend(&sheet{classes: d.Classes, samples: []*sample{m}}, 100)
	for _, e := range key.entries {
		s.Legend = append(s.Legend, pdf.Swatch{Name: e.name, Color: e.color})
	}
	s.More = key.more
	return s, nil
}

// see is what there is to see of a method, and what is to be said about it.
func (m *sample) see(kind, method string) (p pdf.Picture, ok bool) {
	switch kind {
	case labelKind:
		if l := m.predictions[method]; l != nil {
			return pdf.Picture{Image: l.picture(), Text: m.verdicts[method].mIoU()}, true
		}
	case heatKind:
		if g := m.maps[method]; g.gray != nil {
			return pdf.Picture{Image: draw.Blend(m.image, g.gray), Text: g.class}, true
		}
	case errorKind:
		if wrong := m.wrong(method); wrong != nil {
			return pdf.Picture{Image: wrong, Text: m.verdicts[method].wrongs()}, true
		}
	}
	return pdf.Picture{}, false
}
