package interop;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.Provider;
import java.security.PublicKey;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.util.List;
import java.util.Optional;
import net.sf.scuba.smartcards.CardServiceException;
import org.bouncycastle.crypto.DataLengthException;
import org.bouncycastle.crypto.Digest;
import org.bouncycastle.crypto.InvalidCipherTextException;
import org.bouncycastle.crypto.digests.SHA1Digest;
import org.bouncycastle.crypto.digests.SHA224Digest;
import org.bouncycastle.crypto.digests.SHA256Digest;
import org.bouncycastle.crypto.digests.SHA384Digest;
import org.bouncycastle.crypto.digests.SHA512Digest;
import org.bouncycastle.crypto.engines.RSAEngine;
import org.bouncycastle.crypto.params.RSAKeyParameters;
import org.bouncycastle.crypto.signers.ISO9796d2Signer;
import org.jmrtd.PassportService;
import org.jmrtd.lds.ActiveAuthenticationInfo;
import org.jmrtd.lds.icao.DG15File;

/** Active Authentication: JMRTD talks to the chip, Bouncy Castle judges the signature (Doc 9303-11 6.1). */
final class ActiveAuthentication {
    private static final int TRAILER_OF_SHA1 = 0xBC;
    private static final List<Digest> DIGESTS =
            List.of(new SHA1Digest(), new SHA224Digest(), new SHA256Digest(), new SHA384Digest(), new SHA512Digest());

    private ActiveAuthentication() {}

    static boolean run(PassportService service, byte[] dg14, byte[] dg15, byte[] challenge, Provider provider)
            throws CardServiceException, GeneralSecurityException, IOException {
        PublicKey key = new DG15File(new ByteArrayInputStream(dg15)).getPublicKey();
        String announced = key instanceof RSAPublicKey ? "SHA256withRSA/ISO9796-2" : announced(dg14);
        String digest = announced.substring(0, announced.indexOf("with")).replace("SHA", "SHA-");
        byte[] answer = service.doAA(key, digest, announced, challenge).getResponse();
        if (key instanceof RSAPublicKey rsa) {
            return isRsaRight(rsa, challenge, answer);
        }
        return isEcdsaRight((ECPublicKey) key, announced, challenge, answer, provider);
    }

    private static String announced(byte[] dg14) throws GeneralSecurityException, IOException {
        Optional<ActiveAuthenticationInfo> info =
                dg14 == null ? Optional.empty() : SecurityInfos.first(dg14, ActiveAuthenticationInfo.class);
        return info.isEmpty()
                ? "SHA256withECDSA"
                : ActiveAuthenticationInfo.lookupMnemonicByOID(info.get().getSignatureAlgorithmOID());
    }

    /** Plain r || s of twice the order's length, or DER. */
    private static boolean isEcdsaRight(ECPublicKey key, String algorithm, byte[] challenge, byte[] answer, Provider provider)
            throws GeneralSecurityException {
        int order = (key.getParams().getOrder().bitLength() + 7) / 8;
        String form = answer.length == 2 * order ? "withPLAIN-ECDSA" : "withECDSA";
        Signature signature = Signature.getInstance(algorithm.replace("withECDSA", form), provider);
        signature.initVerify(key);
        signature.update(challenge);
        return signature.verify(answer);
    }

    /** ISO/IEC 9796-2 scheme 1 with partial recovery: the answer holds M1, the challenge is M2. */
    private static boolean isRsaRight(RSAPublicKey key, byte[] challenge, byte[] answer) {
        BigInteger opened = new BigInteger(1, answer).modPow(key.getPublicExponent(), key.getModulus());
        if ((opened.intValue() & 0xFF) == TRAILER_OF_SHA1) { // Bouncy Castle has to be told
            return isRsaRight(key, challenge, answer, new ISO9796d2Signer(new RSAEngine(), new SHA1Digest(), true));
        }
        return DIGESTS.stream()
                .anyMatch(digest -> isRsaRight(key, challenge, answer, new ISO9796d2Signer(new RSAEngine(), digest, false)));
    }

    private static boolean isRsaRight(RSAPublicKey key, byte[] challenge, byte[] answer, ISO9796d2Signer signer) {
        signer.init(false, new RSAKeyParameters(false, key.getModulus(), key.getPublicExponent()));
        try {
            signer.updateWithRecoveredMessage(answer);
        } catch (InvalidCipherTextException | IllegalStateException | DataLengthException otherTrailerOrTooLarge) {
            return false;
        }
        signer.update(challenge, 0, challenge.length);
        return signer.verifySignature(answer);
    }
}
