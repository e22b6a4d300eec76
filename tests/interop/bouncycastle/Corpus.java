import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Security;
import java.security.spec.AlgorithmParameterSpec;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PSSParameterSpec;
import java.time.Instant;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bouncycastle.asn1.ASN1Integer;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.icao.DataGroupHash;
import org.bouncycastle.asn1.icao.ICAOObjectIdentifiers;
import org.bouncycastle.asn1.icao.LDSSecurityObject;
import org.bouncycastle.asn1.icao.LDSVersionInfo;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x500.X500NameBuilder;
import org.bouncycastle.asn1.x500.style.BCStyle;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.CRLReason;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.X509v2CRLBuilder;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.SignerInfoGenerator;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSignerInfoGeneratorBuilder;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.ECNamedCurveTable;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.jce.spec.ECNamedCurveParameterSpec;
import org.bouncycastle.jce.spec.ECParameterSpec;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;

/**
 * A country that has nothing but BouncyCastle. SPECIMEN.
 *
 * <p>issue OUT DG1 DG2 CASE...: for each case "key,signature hash,group hash,explicit,version,ski" a directory with
 * csca.der, ds.der, sod.bin, clean.crl, revoking.crl. check-all DIR: verifies what others made, in every directory of it
 * that holds the first four.
 */
public final class Corpus {
  private static final BouncyCastleProvider BC = new BouncyCastleProvider();
  private static final SecureRandom RANDOM = new SecureRandom();

  public static void main(String[] arguments) throws Exception {
    Security.addProvider(BC);
    if (arguments[0].equals("check-all")) {
      checkAll(Path.of(arguments[1]));
      return;
    }
    byte[][] groups = {Files.readAllBytes(Path.of(arguments[2])), Files.readAllBytes(Path.of(arguments[3]))};
    for (int index = 4; index < arguments.length; index++) {
      issue(Path.of(arguments[1], arguments[index]), arguments[index].split(","), groups);
    }
  }

  private static void issue(Path place, String[] stated, byte[][] groups) throws Exception {
    String key = stated[0];
    Algorithm algorithm = algorithm(key, stated[1]);
    boolean explicit = stated[3].equals("explicit");
    KeyPair csca = generate(key, explicit, "csca");
    KeyPair signer = generate(key, explicit, "ds");
    X500Name cscaName = name("SPECIMEN CSCA");
    ContentSigner byCsca = algorithm.signer(csca.getPrivate());
    X509CertificateHolder root = certificate(byCsca, cscaName, cscaName, csca, csca, BigInteger.ONE, true);
    BigInteger serial = new BigInteger(64, RANDOM).setBit(62);
    X509CertificateHolder leaf = certificate(byCsca, cscaName, name("SPECIMEN DS 1"), csca, signer, serial, false);
    Files.createDirectories(place);
    Files.write(place.resolve("csca.der"), root.getEncoded());
    Files.write(place.resolve("ds.der"), leaf.getEncoded());
    byte[] content = securityObject(stated[2], Integer.parseInt(stated[4]), groups).getEncoded("DER");
    Files.write(place.resolve("sod.bin"), sod(content, algorithm, signer.getPrivate(), leaf, stated[5].equals("ski")));
    Files.write(place.resolve("clean.crl"), crl(byCsca, cscaName, csca, 1, null));
    Files.write(place.resolve("revoking.crl"), crl(byCsca, cscaName, csca, 2, serial));
  }

  /** How to sign: a name, and parameters where the name does not say all. */
  private record Algorithm(String name, AlgorithmParameterSpec parameters) {
    ContentSigner signer(PrivateKey key) throws Exception {
      JcaContentSignerBuilder builder =
          parameters == null ? new JcaContentSignerBuilder(name) : new JcaContentSignerBuilder(name, parameters);
      return builder.setProvider(BC).build(key);
    }
  }

  /** "rsa", "pss", "pss:SALT" or a curve, with a hash. */
  private static Algorithm algorithm(String key, String hash) {
    String name = hash.toUpperCase();
    if (key.startsWith("pss:")) {
      String spelled = hash.replace("sha", "SHA-");
      int salt = Integer.parseInt(key.substring(4));
      var parameters = new PSSParameterSpec(spelled, "MGF1", new MGF1ParameterSpec(spelled), salt, 1);
      return new Algorithm(name + "withRSAandMGF1", parameters);
    }
    return switch (key) {
      case "rsa" -> new Algorithm(name + "withRSA", null);
      case "pss" -> new Algorithm(name + "withRSAandMGF1", null);
      default -> new Algorithm(name + "withECDSA", null);
    };
  }

  private static final Map<String, KeyPair> RSA_KEYS = new HashMap<>();

  private static KeyPair generate(String key, boolean explicit, String role) throws Exception {
    if (key.equals("rsa") || key.startsWith("pss")) {
      if (!RSA_KEYS.containsKey(role)) { // they take long; one for each role does for all documents
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA", BC);
        generator.initialize(2048);
        RSA_KEYS.put(role, generator.generateKeyPair());
      }
      return RSA_KEYS.get(role);
    }
    ECNamedCurveParameterSpec named = ECNamedCurveTable.getParameterSpec(key);
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", BC);
    // Without its name a curve is written out.
    generator.initialize(
        explicit
            ? new ECParameterSpec(named.getCurve(), named.getG(), named.getN(), named.getH())
            : named);
    return generator.generateKeyPair();
  }

  private static X500Name name(String common) {
    X500NameBuilder builder = new X500NameBuilder(BCStyle.INSTANCE);
    return builder.addRDN(BCStyle.C, "UT").addRDN(BCStyle.O, "SPECIMEN").addRDN(BCStyle.CN, common).build();
  }

  private static X509CertificateHolder certificate(
      ContentSigner byCsca, X500Name issuer, X500Name subject, KeyPair csca, KeyPair own, BigInteger serial, boolean ca)
      throws Exception {
    Instant now = Instant.now();
    Date start = Date.from(now.minusSeconds(86_400));
    Date end = Date.from(now.plusSeconds(86_400L * 3650));
    SubjectPublicKeyInfo info = SubjectPublicKeyInfo.getInstance(own.getPublic().getEncoded());
    X509v3CertificateBuilder builder = new X509v3CertificateBuilder(issuer, serial, start, end, subject, info);
    JcaX509ExtensionUtils utilities = new JcaX509ExtensionUtils();
    builder.addExtension(
        Extension.authorityKeyIdentifier, false, utilities.createAuthorityKeyIdentifier(csca.getPublic()));
    builder.addExtension(Extension.subjectKeyIdentifier, false, utilities.createSubjectKeyIdentifier(own.getPublic()));
    int usage = ca ? KeyUsage.keyCertSign | KeyUsage.cRLSign : KeyUsage.digitalSignature;
    builder.addExtension(Extension.keyUsage, true, new KeyUsage(usage));
    if (ca) {
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(0));
    }
    return builder.build(byCsca);
  }

  private static LDSSecurityObject securityObject(String hash, int version, byte[][] groups) throws Exception {
    String name = hash.replace("sha", "SHA-");
    MessageDigest digest = MessageDigest.getInstance(name, BC);
    DataGroupHash[] hashes = new DataGroupHash[groups.length];
    for (int index = 0; index < groups.length; index++) {
      hashes[index] = new DataGroupHash(index + 1, new DEROctetString(digest.digest(groups[index])));
    }
    AlgorithmIdentifier identifier =
        new org.bouncycastle.operator.DefaultDigestAlgorithmIdentifierFinder().find(name);
    return version == 0
        ? new LDSSecurityObject(identifier, hashes)
        : new LDSSecurityObject(identifier, hashes, new LDSVersionInfo("0108", "040000"));
  }

  private static byte[] sod(
      byte[] content, Algorithm algorithm, PrivateKey key, X509CertificateHolder certificate, boolean byIdentifier)
      throws Exception {
    ContentSigner signer = algorithm.signer(key);
    JcaSignerInfoGeneratorBuilder builder =
        new JcaSignerInfoGeneratorBuilder(new JcaDigestCalculatorProviderBuilder().setProvider(BC).build());
    byte[] identifier =
        org.bouncycastle.asn1.x509.SubjectKeyIdentifier.fromExtensions(certificate.getExtensions()).getKeyIdentifier();
    java.security.cert.X509Certificate plain =
        new org.bouncycastle.cert.jcajce.JcaX509CertificateConverter().setProvider(BC).getCertificate(certificate);
    SignerInfoGenerator info = byIdentifier ? builder.build(signer, identifier) : builder.build(signer, plain);
    CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
    generator.addSignerInfoGenerator(info);
    generator.addCertificate(certificate);
    CMSProcessableByteArray typed = new CMSProcessableByteArray(ICAOObjectIdentifiers.id_icao_ldsSecurityObject, content);
    byte[] signed = generator.generate(typed, true).toASN1Structure().getEncoded("DER");
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    file.write(0x77);
    file.write(0x82);
    file.write(signed.length >> 8);
    file.write(signed.length);
    file.write(signed);
    return file.toByteArray();
  }

  private static byte[] crl(ContentSigner byCsca, X500Name issuer, KeyPair csca, int number, BigInteger revoked)
      throws Exception {
    Instant now = Instant.now();
    X509v2CRLBuilder builder = new X509v2CRLBuilder(issuer, Date.from(now.minusSeconds(60)));
    builder.setNextUpdate(Date.from(now.plusSeconds(86_400L * 30)));
    builder.addExtension(
        Extension.authorityKeyIdentifier,
        false,
        new JcaX509ExtensionUtils().createAuthorityKeyIdentifier(csca.getPublic()));
    builder.addExtension(Extension.cRLNumber, false, new ASN1Integer(number));
    if (revoked != null) {
      builder.addCRLEntry(revoked, Date.from(now.minusSeconds(3600)), CRLReason.keyCompromise);
    }
    return builder.build(byCsca).getEncoded();
  }

  /** Verifies every directory below: one line each, "ok" or what is wrong. */
  private static void checkAll(Path place) throws Exception {
    List<Path> directories;
    try (var found = Files.list(place)) {
      directories = found.filter(Files::isDirectory).sorted().toList();
    }
    for (Path directory : directories) {
      String result = "ok";
      try {
        check(directory);
      } catch (Exception error) {
        result = error.getClass().getSimpleName() + ": " + error.getMessage();
      }
      System.out.println(directory.getFileName() + "\t" + result);
    }
  }

  /** Verifies a CSCA, a document signer, a CRL and an EF.SOD that others made; anything wrong is an exception. */
  private static void check(Path place) throws Exception {
    X509CertificateHolder root = new X509CertificateHolder(Files.readAllBytes(place.resolve("csca.der")));
    X509CertificateHolder leaf = new X509CertificateHolder(Files.readAllBytes(place.resolve("ds.der")));
    var crl = new org.bouncycastle.cert.X509CRLHolder(Files.readAllBytes(place.resolve("clean.crl")));
    byte[] sod = Files.readAllBytes(place.resolve("sod.bin"));
    var byRoot = new JcaContentVerifierProviderBuilder().setProvider(BC).build(root);
    require(root.isSignatureValid(byRoot), "CSCA");
    require(leaf.isSignatureValid(byRoot), "document signer");
    require(crl.isSignatureValid(byRoot), "CRL");
    require(crl.getRevokedCertificate(leaf.getSerialNumber()) == null, "revoked");
    var application = (org.bouncycastle.asn1.ASN1TaggedObject) org.bouncycastle.asn1.ASN1Primitive.fromByteArray(sod);
    CMSSignedData signed = new CMSSignedData(application.getBaseObject().toASN1Primitive().getEncoded());
    require(signed.getSignedContentTypeOID().equals("2.23.136.1.1.1"), "content type");
    List<SignerInformation> signers = List.copyOf(signed.getSignerInfos().getSigners());
    require(signers.size() == 1, "one signer");
    require(signers.get(0).getSID().match(leaf), "signer identifier");
    require(signers.get(0).verify(new JcaSimpleSignerInfoVerifierBuilder().setProvider(BC).build(leaf)), "EF.SOD");
    LDSSecurityObject content = LDSSecurityObject.getInstance(signed.getSignedContent().getContent());
    System.out.println(content.getDatagroupHash().length);
  }

  private static void require(boolean holds, String what) {
    if (!holds) {
      throw new IllegalStateException(what + " does not verify");
    }
  }
}
