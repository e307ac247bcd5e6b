package entra

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// assertionLife is how long an assertion is good; Microsoft wants 5 to 10
// minutes ("certificate credentials").
const assertionLife = 8 * time.Minute

// A certificate is what signs our assertions.
type certificate struct {
	key  *rsa.PrivateKey
	leaf *x509.Certificate
}

// readCertificate reads a PEM file with a private key and its certificate, in
// any order; of several certificates it takes the one of the key.
func readCertificate(file string) (*certificate, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("entra: certificate_file: %w", err)
	}
	bad := func(why string) (*certificate, error) {
		return nil, fmt.Errorf("entra: certificate_file: %s %s", file, why)
	}
	var c certificate
	var leaves []*x509.Certificate
	for rest := b; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE":
			leaf, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return bad("holds a certificate that cannot be read")
			}
			leaves = append(leaves, leaf)
		case "ENCRYPTED PRIVATE KEY":
			return bad("holds an encrypted key; take off its password (openssl pkey) and let only Latchkey read the file")
		case "PRIVATE KEY", "RSA PRIVATE KEY":
			key, err := privateKey(block)
			if err != nil {
				return bad(err.Error())
			}
			c.key = key
		}
	}
	switch {
	case c.key == nil:
		return bad("holds no private key in PEM form; put the key and its certificate into it, one after the other")
	case len(leaves) == 0:
		return bad("holds no certificate in PEM form; put the key and its certificate into it, one after the other")
	}
	for _, leaf := range leaves {
		if c.key.PublicKey.Equal(leaf.PublicKey) {
			c.leaf = leaf
			return &c, nil
		}
	}
	return bad("holds a certificate of another key")
}

func privateKey(block *pem.Block) (*rsa.PrivateKey, error) {
	if block.Headers["DEK-Info"] != "" {
		return nil, errors.New("holds an encrypted key; take off its password (openssl pkey) and let only Latchkey read the file")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("holds a private key that cannot be read")
	}
	r, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("holds a key that is not RSA, and Entra takes no other; make one with openssl req -newkey rsa:3072")
	}
	return r, nil
}

// assertion is a JWT by which Entra knows the app (RFC 7523, 2.2; "certificate
// credentials": PS256, x5t#S256).
func (c *certificate) assertion(client, endpoint string, now time.Time) (string, error) {
	sum := sha256.Sum256(c.leaf.Raw)
	o := (&jose.SignerOptions{}).WithType("JWT").WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(sum[:]))
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.PS256, Key: c.key}, o)
	if err != nil {
		return "", fmt.Errorf("certificate_file: %w", err)
	}
	// A plain map, because package jwt writes one audience as a list.
	return jwt.Signed(s).Claims(map[string]any{
		"iss": client, "sub": client, "aud": endpoint, "jti": newID(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	}).Serialize()
}

// maxFederated bounds a federated token, in bytes.
const maxFederated = 64 << 10

// readFederated reads the token of another issuer, as it is now.
func readFederated(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("federated_token_file: %w", err)
	}
	b = bytes.TrimSpace(b)
	if len(b) == 0 || len(b) > maxFederated || bytes.Count(b, []byte(".")) != 2 || bytes.ContainsAny(b, " \t\r\n") {
		return "", fmt.Errorf("federated_token_file: %s holds no token (a JWT on one line)", file)
	}
	return string(b), nil
}
