// Package vault seals secrets for the store, makes keyed hashes, and hashes
// answers and recovery codes.
//
// It is in charge of key material: the key file, the ring of keys in memory,
// rotation, and Argon2id. It must not know the database, what a secret is for,
// or who asks; it never logs and never puts a value into an error.
//
// # Sealing
//
// Ring implements bot.Vault with Tink keysets: AES-256-GCM with a random
// 96-bit nonce for Seal, HMAC-SHA-256 for Hash (OWASP ASVS 5.0, 11.2 and 11.3).
// What Seal gives is Tink's own format: one byte 1, four bytes key id, nonce,
// ciphertext, tag; 33 bytes more than the plaintext. The place goes in as
// associated data, so a sealed value that is copied to another row, column or
// person does not open. Random nonces allow 2^32 seals with one key; rotate
// once a year and long before that number.
//
// # The key file
//
// One JSON file, mode 0600, holds the keys of the ring. It is not encrypted:
// it is itself the key that is kept outside the database. Back it up apart
// from the database; whoever has both can read everything, and without it the
// enrolled methods are lost. SealCheck and OpenCheck let the program refuse to
// start with the wrong one.
//
// # Rotation
//
// One key of the ring seals and hashes; all of them open and compare. To
// rotate: AddKey; Reload in every other process (it is cheap, call it every
// few seconds); seal and hash every row again whose KeyOf is not KeyID; when
// none is left, Remove the old key. It can be stopped and taken up again at any
// point. Keyed hashes of short-lived things (codes) need not be made again, but
// counters that are kept under a hash start from zero.
//
// # The audit record and signatures
//
// From each key two more are derived by HKDF, one for each purpose: AuditMAC
// makes the keyed hashes of the audit record, Sign the signatures (Ed25519) of
// exports. A key that is removed leaves its audit subkey and its public key in
// the ring, for checking only; Forget takes them out when retention has removed
// the last line of theirs.
//
// # Answers and recovery codes
//
// HashSecret is Argon2id in PHC string format, at most so many at once
// (policy: hash.workers). The caller seals the result with Vault.Seal: the
// sealing key is the pepper. OWASP's Password Storage cheat sheet allows to
// encrypt the hash instead of keying it; we do, because an encrypted hash can
// be sealed again under a new key, while a keyed one could only be replaced
// when the person answers again.
package vault
