//go:build !amd64

package resample

// vectors is false: what follows is never called.
var vectors = false

func mixAVX2(dst, r0, r1, r2, r3, r4, weights *float32, n int)                   {}
func lerpAVX2(dst, a, b *float32, w0, w1 float32, n int)                         {}
func lerpAddAVX2(dst, a, b *float32, w0, w1 float32, n int)                      {}
func weighAddAVX2(dst, src, weights *float32, n int)                             {}
func stretchAVX2(dst, src *float32, taps *tap, n int)                            {}
func divideAVX2(dst *float32, by *uint32, n int)                                 {}
func largestAVX2(top *float32, lane *int32, cells *float32, mask *uint32, n int) {}
func sumExpAVX2(sum, top, cells *float32, mask *uint32, scale float32, n int)    {}
