package interop;

import java.io.ByteArrayInputStream;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.Provider;
import java.security.cert.CertPathValidator;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bouncycastle.cms.CMSException;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.jmrtd.lds.SODFile;

/** Passive authentication: JMRTD reads EF.SOD, Bouncy Castle judges signature and certificate path. */
final class PassiveAuthentication {
    private final SODFile sod;
    private final byte[] raw;
    private final Provider provider;

    PassiveAuthentication(byte[] raw, Provider provider) throws java.io.IOException {
        this.sod = new SODFile(new ByteArrayInputStream(raw));
        this.raw = raw;
        this.provider = provider;
    }

    List<Integer> dataGroups() {
        return sod.getDataGroupHashes().keySet().stream().sorted().toList();
    }

    Map<String, Object> compareHashes(Map<String, byte[]> files) throws GeneralSecurityException {
        Map<String, Object> outcomes = new LinkedHashMap<>();
        for (Map.Entry<Integer, byte[]> entry : sod.getDataGroupHashes().entrySet()) {
            String name = "DG" + entry.getKey();
            MessageDigest digest = MessageDigest.getInstance(sod.getDigestAlgorithm());
            byte[] content = files.get(name);
            outcomes.put(name, content != null && MessageDigest.isEqual(digest.digest(content), entry.getValue()));
        }
        return outcomes;
    }

    boolean isSignatureRight() throws CMSException, OperatorCreationException {
        CMSSignedData signed = new CMSSignedData(withoutTag(raw));
        SignerInformation signer = signed.getSignerInfos().getSigners().iterator().next();
        return signer.verify(new JcaSimpleSignerInfoVerifierBuilder().setProvider(provider).build(sod.getDocSigningCertificate()));
    }

    /** Throws where the document signer does not lead to the CSCA at that time, or stands on its CRL. */
    void validatePath(byte[] csca, byte[] crl, Instant at) throws GeneralSecurityException {
        CertificateFactory factory = CertificateFactory.getInstance("X.509", provider);
        X509Certificate anchor = (X509Certificate) factory.generateCertificate(new ByteArrayInputStream(csca));
        X509Certificate signer =
                (X509Certificate) factory.generateCertificate(new ByteArrayInputStream(sod.getDocSigningCertificate().getEncoded()));
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(anchor, null)));
        parameters.setDate(Date.from(at));
        parameters.addCertStore(CertStore.getInstance(
                "Collection",
                new CollectionCertStoreParameters(List.of(factory.generateCRL(new ByteArrayInputStream(crl)))),
                provider));
        CertPathValidator.getInstance("PKIX", provider).validate(factory.generateCertPath(List.of(signer)), parameters);
    }

    private static byte[] withoutTag(byte[] file) {
        int first = file[1] & 0xFF;
        int header = first < 0x80 ? 2 : 2 + (first & 0x7F);
        return java.util.Arrays.copyOfRange(file, header, file.length);
    }
}
