package config

import (
	"encoding/json"
	"strconv"
	"strings"
)

// maxDigits bounds the digits and the exponent of a number under validation.
const maxDigits = 400

// boundNumbers replaces numbers that would be expensive to compare by ones that
// every sensible rule treats alike. The validator computes with exact fractions:
// `1e1000000` takes it seconds, `1e9999999` makes it panic. value is a private
// copy of the payload, which itself is never changed.
func boundNumbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		return boundNumber(v)
	case []any:
		for i := range v {
			v[i] = boundNumbers(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = boundNumbers(v[key])
		}
	}
	return value
}

// boundNumber returns n itself unless it has more than maxDigits digits or an
// exponent beyond that; then a number of the same sign that is as large, as
// small or as broken as n.
func boundNumber(n json.Number) json.Number {
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(string(n)), "e")
	exp := 0
	if hasExponent {
		// Out of range yields the nearest int, which is far beyond the bound too.
		exp, _ = strconv.Atoi(exponent)
	}
	if len(n) <= maxDigits && -maxDigits <= exp && exp <= maxDigits {
		return n
	}
	sign := ""
	if strings.HasPrefix(mantissa, "-") {
		sign, mantissa = "-", mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return "0"
	}
	// The number is 0.DIGITS × 10^size. Each term is clamped before it is added,
	// so that no exponent can overflow.
	const far = 1 << 40
	size := len(whole) - (len(whole+fraction) - len(digits)) + min(max(exp, -far), far)
	if size > maxDigits {
		return json.Number(sign + "1e" + strconv.Itoa(maxDigits))
	}
	if size < -maxDigits {
		return json.Number(sign + "1e-" + strconv.Itoa(maxDigits))
	}
	if cut := strings.TrimRight(digits, "0"); len(cut) > maxDigits {
		digits = cut[:maxDigits] + "1" // something follows, so it is no shorter number
	} else {
		digits = cut
	}
	return json.Number(sign + "0." + digits + "e" + strconv.Itoa(size))
}
